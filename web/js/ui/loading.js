/** A place in a panel that fills when its data arrive; says so while waiting, and why when they do not. */

import { ApiError } from '../api.js';
import { language, t } from '../words.js';
import { h, refill } from './dom.js';

/**
 * @template T
 * @param {HTMLElement} place
 * @param {() => Promise<T>} load
 * @param {(data: T) => (Node | null | false)[]} show
 */
export async function fillWhenLoaded(place, load, show) {
  place.setAttribute('aria-busy', 'true');
  refill(place, h('p', { class: 'waiting' }, h('span', { class: 'spinner' }), t('loading')));
  try {
    const data = await load();
    refill(place, ...show(data));
  } catch (error) {
    refill(place, trouble(error, () => void fillWhenLoaded(place, load, show)));
  } finally {
    place.removeAttribute('aria-busy');
  }
}

/**
 * An error in words, with what to do and a way to try again.
 * @param {unknown} error
 * @param {() => void} [again]
 */
export function trouble(error, again) {
  const { detail, remedy } = errorWords(error);
  return h(
    'div', { class: 'trouble', role: 'alert' },
    h('p', {}, h('strong', {}, detail)),
    remedy && h('p', {}, remedy),
    again && h('button', { type: 'button', class: 'button quiet', onclick: again }, t('again')),
  );
}

/** @param {unknown} error */
export function errorWords(error) {
  if (error instanceof ApiError) {
    if (error.problem.status === 0) return { detail: t('error.unreachable'), remedy: t('error.unreachable.remedy') };
    const words = error.words(language());
    if (words.detail) return words;
    return { detail: t('error.status', { status: error.problem.status }), remedy: '' };
  }
  return { detail: t('error.unexpected'), remedy: error instanceof Error ? error.message : String(error) };
}
