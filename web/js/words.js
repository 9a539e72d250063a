/** Words of the interface in the current language. Words of layers and rules come from the service. */

import { fetchLocale } from './api.js';

/** @typedef {import('./types').Lang} Lang */

/** @type {Partial<Record<Lang, Record<string, string>>>} */
const loaded = {};
/** @type {Lang} */
let current = 'zh';

/**
 * Switch to a language, loading its words once.
 * @param {Lang} lang
 */
export async function useLanguage(lang) {
  loaded[lang] ??= await fetchLocale(lang);
  current = lang;
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
}

/** The current language. */
export const language = () => current;

/**
 * The words of a key, with `{name}` filled in; the key itself when nobody wrote the words, so it shows.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const words = loaded[current]?.[key] ?? key;
  return words.replace(/\{(\w+)\}/g, (hole, name) => String(values[name] ?? hole));
}

/** Whether words were written for a key. @param {string} key */
export const hasWords = (key) => key in (loaded[current] ?? {});
