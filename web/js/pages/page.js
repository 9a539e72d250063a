/** What the pages of the API do by themselves: small maps, copying an example, narrowing a list. */

import { createMinimap } from './minimap.js';

for (const element of document.querySelectorAll('.minimap')) createMinimap(/** @type {HTMLElement} */ (element));

for (const button of document.querySelectorAll('button.copy')) {
  button.addEventListener('click', () => copy(/** @type {HTMLButtonElement} */ (button)));
}

for (const field of document.querySelectorAll('input[data-filters]')) {
  field.addEventListener('input', () => narrow(/** @type {HTMLInputElement} */ (field)));
}

/** Copy the text of the example that a button stands on; without a clipboard, select it. @param {HTMLButtonElement} button */
async function copy(button) {
  const code = button.closest('.example')?.querySelector('code');
  if (!code) return;
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    button.textContent = button.dataset['done'] ?? '';
  } catch {
    getSelection()?.selectAllChildren(code);
  }
}

/** Show only the entries that hold the words typed, and only headings above some. @param {HTMLInputElement} field */
function narrow(field) {
  const words = field.value.trim().toLowerCase();
  /** @type {NodeListOf<HTMLElement>} */
  const entries = document.querySelectorAll(field.dataset['filters'] ?? '');
  for (const entry of entries) entry.hidden = !(entry.textContent ?? '').toLowerCase().includes(words);
  for (const section of document.querySelectorAll('main section')) {
    const within = [...entries].filter((entry) => section.contains(entry));
    /** @type {HTMLElement} */ (section).hidden = within.length > 0 && within.every((entry) => entry.hidden);
  }
}
