/** Short messages that come and go. */

import { t } from '../words.js';
import { h, iconButton } from './dom.js';

/** How long a note stays, in milliseconds; trouble stays until it is closed. */
const STAY = 6000;
/** More than this many at once would hide the map. */
const MOST = 3;

/** @param {HTMLElement} element the live region */
export function createNotices(element) {
  return {
    /** @param {string} words @param {'note' | 'trouble'} [kind] */
    notify(words, kind = 'note') {
      if ([...element.children].some((each) => each.textContent === words)) return;
      while (element.childElementCount >= MOST) element.firstElementChild?.remove();
      const notice = h('div', { class: `notice ${kind}` }, h('span', { class: 'grow' }, words));
      notice.append(iconButton('close', t('notice.close'), () => notice.remove()));
      element.append(notice);
      if (kind === 'note') setTimeout(() => notice.remove(), STAY);
    },
  };
}
