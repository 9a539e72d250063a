/** Who is signed in: the button in the header with its menu, and the dialog that asks for name and password. */

import { ApiError, fetchSession, signIn, signOut } from '../api.js';
import { pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { closed } from './dialog.js';
import { freshId, h, icon, iconButton, refill } from './dom.js';
import { errorWords } from './loading.js';

/** @typedef {import('../types').Problem} Problem */
/** @typedef {import('../types').Session} Session */

/**
 * @param {Promise<unknown>} words settled when the interface has its words
 */
export function createAccount(words) {
  /** @type {Session | null} null until known */
  let session = null;
  /** @type {Promise<boolean> | null} the answer that is waited for; one dialog for all that ask */
  let asking = null;
  /** @type {(session: Session) => void} */
  let told = () => undefined;

  /** @param {Session} found */
  const become = (found) => {
    session = found;
    told(found);
  };

  /**
   * The dialog; true when it is worth asking again what was refused.
   * @param {Problem | null} problem what was refused; null when the user wants to sign in
   */
  async function show(problem) {
    await words;
    const ended = problem?.code === 'credential_session';
    const found = await askPassword(ended ? t('account.ended') : problem ? t('account.needed') : '', session?.name ?? '');
    if (found) {
      become(found);
      return true;
    }
    if (!ended) return false;
    // Who turns away goes on as the public; the cookie of the ended session would be refused for ever.
    await signOut().catch(() => undefined);
    become(await fetchSession());
    return true;
  }

  const account = {
    /** Ask the user to sign in after a refusal, once for all requests. @param {Problem | null} problem */
    gate(problem) {
      asking ??= show(problem).finally(() => { asking = null; });
      return asking;
    },

    /** Call back now, and whenever somebody else is signed in. @param {(session: Session) => void} listener */
    follow(listener) {
      told = listener;
      if (session) listener(session);
    },

    /** Ask the service who is signed in. */
    async find() {
      try {
        become(await fetchSession());
      } catch (error) {
        if (!(error instanceof ApiError) || error.problem.status !== 401) throw error;
        await account.gate(error.problem);
      }
    },

    /** The button for the header; nothing where there are no accounts. */
    button() {
      if (!session?.accounts) return null;
      if (!session.signed_in) {
        return h('button', { type: 'button', class: 'account-button', 'data-key': 'account', onclick: () => void account.gate(null) }, icon('person'), h('span', {}, t('account.sign_in')));
      }
      const label = t('account.menu', { name: session.display_name ?? session.name ?? '' });
      const open = h(
        'button', { type: 'button', class: 'account-button signed-in', 'data-key': 'account', 'aria-label': label, title: label, 'aria-haspopup': 'dialog', onclick: () => openMenu(open, session, leave) },
        icon('person'), h('span', {}, session.display_name ?? session.name),
      );
      return open;
    },
  };

  async function leave() {
    await signOut();
    become(await fetchSession());
  }

  return account;
}

/** @typedef {ReturnType<typeof createAccount>} Account */

/** A code of an area as it is, and what a department gave in words. @param {string} area */
function areaWords(area) {
  const [, department] = area.match(/^department:(.*)$/) ?? [];
  return department === undefined ? area : t('account.given_by', { department });
}

/**
 * Name, role and areas under the button, and the way out.
 * @param {HTMLElement} button
 * @param {Session | null} session
 * @param {() => Promise<void>} leave
 */
function openMenu(button, session, leave) {
  if (!session) return;
  const areas = session.areas === null || session.areas === undefined ? t('account.everywhere') : session.areas.map(areaWords).join(', ') || t('account.nowhere');
  const failed = h('p', { class: 'field-error', role: 'alert', hidden: true });
  const out = h('button', { type: 'button', class: 'button quiet', onclick: async () => {
    out.disabled = true;
    try {
      await leave();
      menu.close();
    } catch (error) {
      failed.textContent = Object.values(errorWords(error)).filter(Boolean).join(' ');
      failed.hidden = false;
      out.disabled = false;
    }
  } }, t('account.sign_out'));
  const id = freshId('account');
  const menu = h(
    'dialog', { class: 'dialog account-menu', 'aria-labelledby': id },
    h('div', { class: 'dialog-head' }, h('h2', { id }, session.display_name ?? session.name), iconButton('close', t('account.close'), () => menu.close())),
    h('dl', { class: 'facts' },
      h('dt', {}, t('account.name')), h('dd', {}, session.name),
      h('dt', {}, t('account.role')), h('dd', {}, pick(session.role_title, language())),
      h('dt', {}, t('account.areas')), h('dd', {}, areas),
      session.department && [h('dt', {}, t('account.department')), h('dd', {}, session.department)]),
    failed, h('div', { class: 'buttons end' }, out),
  );
  // A click beside it closes it, as menus do.
  menu.addEventListener('click', (event) => { if (event.target === menu) menu.close(); });
  menu.addEventListener('close', () => { menu.remove(); button.focus(); });
  document.body.append(menu);
  const { bottom, left } = button.getBoundingClientRect();
  menu.style.setProperty('--menu-top', `${bottom + 6}px`);
  menu.style.setProperty('--menu-left', `${left}px`);
  menu.showModal();
}

/**
 * Ask for name and password until they fit; null when the user turns away.
 * @param {string} why the dialog comes up
 * @param {string} name to begin with
 * @returns {Promise<Session | null>}
 */
function askPassword(why, name) {
  const [id, nameId, passwordId] = [freshId('dialog'), freshId('field'), freshId('field')];
  const nameField = h('input', { type: 'text', id: nameId, name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true, maxlength: 256, value: name, autofocus: !name });
  const passwordField = h('input', { type: 'password', id: passwordId, name: 'password', autocomplete: 'current-password', required: true, maxlength: 256, autofocus: Boolean(name) });
  const failed = h('p', { class: 'field-error', role: 'alert' });
  const send = h('button', { type: 'submit', class: 'button' });
  /** @type {Session | null} */
  let found = null;
  /** @param {boolean} busy */
  const render = (busy) => {
    send.disabled = busy;
    send.setAttribute('aria-busy', String(busy));
    refill(send, busy && h('span', { class: 'spinner small' }), t(busy ? 'account.signing_in' : 'account.sign_in'));
  };
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (send.disabled) return;
    render(true);
    failed.textContent = '';
    try {
      found = await signIn(nameField.value, passwordField.value);
      dialog.close();
    } catch (error) {
      render(false);
      failed.textContent = Object.values(errorWords(error)).filter(Boolean).join(' ');
      // A wrong password is typed again; any other trouble leaves it.
      if (error instanceof ApiError && error.problem.status === 401) passwordField.value = '';
      passwordField.focus();
    }
  };
  const dialog = h(
    'dialog', { class: 'dialog sign-in', 'aria-labelledby': id },
    h('form', { onsubmit: submit },
      h('h2', { id }, t('account.title')), why && h('p', { class: 'hint' }, why),
      h('div', { class: 'stacked' }, h('label', { for: nameId }, t('account.name')), nameField),
      h('div', { class: 'stacked' }, h('label', { for: passwordId }, t('account.password')), passwordField),
      failed,
      h('div', { class: 'buttons end' }, h('button', { type: 'button', class: 'button quiet', onclick: () => dialog.close() }, t('dialog.cancel')), send)),
  );
  render(false);
  return closed(dialog, () => found);
}
