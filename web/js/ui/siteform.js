/** The form above a verdict: where the site is and what is planned there. */

import { pick } from '../pure/format.js';
import { language, t } from '../words.js';
import { ask } from './dialog.js';
import { freshId, h, icon, labelled } from './dom.js';
import { textButton } from './tree.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').SiteField} SiteField */
/** @typedef {import('./site.js').Draft} Draft */

/**
 * @typedef {object} SiteActions
 * @property {(shape: import('../map/draw.js').ShapeKind) => void} start
 * @property {(file: File) => void} file
 * @property {(text: string) => void} text
 * @property {() => void} edit
 * @property {() => void} clear
 * @property {() => void} changed kind, attributes or date are others now
 * @property {() => void} renew show the form anew
 * @property {() => boolean} editing
 */

/** @type {[import('../map/draw.js').ShapeKind, string][]} */
const SHAPES = [['Polygon', 'polygon'], ['Rectangle', 'rectangle'], ['Line', 'line'], ['Marker', 'point']];

/** @param {App} app @param {Draft} draft @param {SiteActions} actions */
export function siteForm(app, draft, actions) {
  return [
    !draft.site && h('p', { class: 'muted' }, t('site.intro')),
    !draft.site && h('div', { class: 'draw-tools', role: 'group', 'aria-label': t('site.draw') },
      SHAPES.map(([shape, name]) => h('button', { type: 'button', class: 'tool', onclick: () => actions.start(shape) }, icon(name), h('span', {}, t(`site.draw.${name}`)))),
      filePicker(actions)),
    draft.site && h('div', { class: 'buttons' },
      draft.geometry && h('button', { type: 'button', class: 'button quiet', 'aria-pressed': String(actions.editing()), onclick: actions.edit }, icon('edit'), t(actions.editing() ? 'site.edit.done' : 'site.edit')),
      textButton('trash', t('site.clear'), actions.clear)),
    kindChoice(app, draft, actions),
    attributes(app, draft, actions),
  ];
}

/** @param {SiteActions} actions */
function filePicker(actions) {
  const input = h('input', { type: 'file', class: 'visually-hidden', accept: '.json,.geojson,.wkt,.txt,.kml', tabindex: '-1', 'aria-hidden': 'true' });
  input.addEventListener('change', () => {
    const [file] = input.files ?? [];
    if (file) actions.file(file);
    input.value = '';
  });
  const paste = async () => {
    const area = h('textarea', { rows: 6, required: true, 'aria-label': t('site.paste'), placeholder: 'POLYGON((119.6 29.1, …))' });
    const choose = textButton('file', t('site.file.choose'), () => { dialogOf(choose)?.close(''); input.click(); });
    const told = await ask(t('site.paste.title'), [h('p', { class: 'muted' }, t('site.paste.why')), area, choose], () => area.value);
    if (told) actions.text(told);
  };
  return [h('button', { type: 'button', class: 'tool', onclick: () => void paste() }, icon('file'), h('span', {}, t('site.file'))), input];
}

/** @param {HTMLElement} inside */
function dialogOf(inside) {
  return /** @type {HTMLDialogElement | null} */ (inside.closest('dialog'));
}

/** @param {App} app @param {Draft} draft @param {SiteActions} actions */
function kindChoice(app, draft, actions) {
  const name = freshId('kind');
  return h(
    'fieldset', { class: 'kinds' }, h('legend', {}, t('site.kind')),
    app.config.site_kinds.map(({ kind, title }) => {
      const radio = h('input', { type: 'radio', name, value: kind, 'data-key': kind, checked: draft.kind === kind });
      radio.addEventListener('change', () => {
        draft.kind = kind;
        actions.renew();
        actions.changed();
      });
      return h('label', {}, radio, h('span', {}, pick(title, language())));
    }),
  );
}

/** @param {App} app @param {Draft} draft @param {SiteActions} actions */
function attributes(app, draft, actions) {
  const fields = app.config.site_fields.filter((field) => field.kinds.includes(draft.kind));
  const stated = fields.filter((field) => field.name in draft.attributes).length;
  const date = h('input', { type: 'date', value: draft.lawDate });
  date.addEventListener('change', () => {
    draft.lawDate = date.value;
    actions.changed();
  });
  return h(
    'details', { class: 'fold', open: stated > 0 },
    h('summary', {}, t('site.attributes'), stated > 0 && h('b', { class: 'pill' }, stated)),
    h('p', { class: 'muted' }, t('site.attributes.why')),
    fields.map((field) => fieldInput(field, draft, actions)),
    labelled([t('site.lawdate')], date),
  );
}

/** @param {SiteField} field @param {Draft} draft @param {SiteActions} actions */
function fieldInput(field, draft, actions) {
  /** @param {unknown} value */
  const set = (value) => {
    if (value === '' || value === null) delete draft.attributes[field.name];
    else draft.attributes[field.name] = value;
    actions.changed();
  };
  const title = pick(field.title, language()) || field.name;
  const present = draft.attributes[field.name];
  if (field.type === 'boolean' || field.codes?.length) {
    const options = field.type === 'boolean'
      ? [['true', t('yes')], ['false', t('no')]]
      : (field.codes ?? []).map((code) => [code.code, pick(code, language())]);
    const select = h('select', {}, h('option', { value: '' }, t('site.notstated')), options.map(([value, words]) => h('option', { value }, words)));
    select.value = present === undefined ? '' : String(present);
    select.addEventListener('change', () => set(field.type === 'boolean' && select.value ? select.value === 'true' : select.value));
    return labelled([title], select);
  }
  const isNumber = field.type === 'number' || field.type === 'integer';
  const type = isNumber ? 'number' : field.type === 'date' ? 'date' : 'text';
  const input = h('input', { type, value: present ?? '', step: field.type === 'number' ? 'any' : null });
  input.addEventListener('change', () => set(isNumber && input.value !== '' ? Number(input.value) : input.value));
  return labelled([title, field.unit && h('span', { class: 'unit' }, ` ${field.unit}`)], input);
}
