/** Elements from data. Text always goes in as text, never as markup. */

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An HTML element. Attributes that are functions become listeners (`onclick`); true sets an empty attribute,
 * false and null leave it out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  dress(element, attributes);
  fill(element, children);
  return element;
}

/**
 * An SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...Child} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  dress(element, attributes);
  fill(element, children);
  return element;
}

/** @param {Element} element @param {Record<string, any>} attributes */
function dress(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** @param {Element} element @param {(Child | Child[])[]} children */
function fill(element, children) {
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === false || child === '') continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Replace everything inside an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function refill(element, ...children) {
  element.replaceChildren();
  fill(element, children);
}

/**
 * Replace everything inside an element; what had the keyboard keeps it, by its `data-key`.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function renew(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement?.getAttribute('data-key') : null;
  refill(element, ...children);
  const heir = key ? [...element.querySelectorAll('[data-key]')].find((each) => each.getAttribute('data-key') === key) : null;
  if (heir instanceof HTMLElement) heir.focus({ preventScroll: true });
}

/** Strokes of the icons on a 24 x 24 grid. @type {Record<string, string>} */
const ICONS = {
  layers: 'M12 3 3 8l9 5 9-5zM3 12.5l9 5 9-5M3 17l9 5 9-5',
  warning: 'M12 3.5 2.5 20h19zM12 10v4.5M12 17.2v.6',
  site: 'M4 18.5 6.5 6l7-2.5L20 9l-2 9.5zM4 18.5h.01M6.5 6h.01M13.5 3.5h.01M20 9h.01M18 18.5h.01',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5 21 21',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M15 5l-7 7 7 7',
  down: 'M6 9l6 6 6-6',
  polygon: 'M5 17 7 6l10-1 3 10-7 4z',
  rectangle: 'M4 6h16v12H4z',
  line: 'M4 18 9 8l6 6 5-9',
  point: 'M12 21s-6.5-6-6.5-11a6.5 6.5 0 0 1 13 0c0 5-6.5 11-6.5 11zM12 12.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z',
  file: 'M6 3h8l4 4v14H6zM14 3v4h4M12 18v-6M9.5 14.5 12 12l2.5 2.5',
  upload: 'M12 16V5M7.5 9.5 12 5l4.5 4.5M5 20h14',
  table: 'M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9',
  zoom: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  download: 'M12 4v11M7.5 11 12 15.5 16.5 11M5 20h14',
  print: 'M7 9V4h10v5M7 17H4V9h16v8h-3M7 14h10v6H7z',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  home: 'M4 11.5 12 4l8 7.5M6.5 10v10h11V10',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7L12 7M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7L12 17',
  up: 'M6 15l6-6 6 6',
  conflict: 'M8.2 3h7.6L21 8.2v7.6L15.8 21H8.2L3 15.8V8.2zM8.8 8.8l6.4 6.4M15.2 8.8l-6.4 6.4',
  unknown: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.3 9.4a2.8 2.8 0 1 1 4.2 2.5c-1 .6-1.5 1.2-1.5 2.3M12 17v.4',
  edge: 'M12 3l9 9-9 9-9-9zM7.8 11.2c1.4-1.5 2.8-1.5 4.2 0s2.8 1.5 4.2 0M7.8 14.6c1.4-1.5 2.8-1.5 4.2 0s2.8 1.5 4.2 0',
  person: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.6-3.9 3.5-6 7.5-6s6.9 2.1 7.5 6',
  clear: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM7.8 12.3l3 3 5.4-6',
};

/**
 * A decorative icon; what it means is said in words beside it or in the label of its button.
 * @param {string} name
 */
export function icon(name) {
  return svg(
    'svg',
    { class: `icon icon-${name}`, viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' },
    svg('path', { d: ICONS[name] ?? '' }),
  );
}

/**
 * A button that shows only an icon and says its words to everyone else.
 * @param {string} name of the icon
 * @param {string} label
 * @param {(event: MouseEvent) => void} onclick
 * @param {Record<string, any>} [attributes]
 */
export function iconButton(name, label, onclick, attributes = {}) {
  return h(
    'button',
    { type: 'button', class: 'icon-button', 'aria-label': label, title: label, onclick, ...attributes },
    icon(name),
  );
}

/**
 * A control with its label in front; the label is no part of the control, so that its name is the words alone.
 * @param {Child[]} words
 * @param {HTMLElement} control
 */
export function labelled(words, control) {
  control.id = freshId('field');
  return h('div', { class: 'field' }, h('label', { for: control.id }, words), control);
}

let serial = 0;

/** An id that no other element has. @param {string} stem */
export function freshId(stem) {
  serial += 1;
  return `${stem}-${serial}`;
}
