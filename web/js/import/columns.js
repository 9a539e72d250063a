/** Step 2: into which layer, and which column holds which field. */

import { percent, pick } from '../pure/format.js';
import { lacking } from '../pure/import.js';
import { language, t } from '../words.js';
import { h, labelled } from '../ui/dom.js';
import { problemBox } from './findings.js';

/** @typedef {import('./wizard.js').Wizard} Wizard */
/** @typedef {import('../types').FieldChoice} FieldChoice */

/** @param {Wizard} wizard */
export function columnStep(wizard) {
  const { found, choice } = wizard;
  const fields = found.proposal?.mapping ?? [];
  const unused = (found.columns ?? []).filter(({ name }) => !Object.values(choice.mapping).includes(name));
  const missing = lacking(choice, fields).fields;
  /** Optional fields that nothing was found for stand back; one that was given a column here stays where it is. */
  const near = fieldsInOrder(fields.filter(({ required, column }) => required || column));
  const far = fields.filter((each) => !near.includes(each));
  return [
    found.problem && problemBox(found.problem),
    layerChoice(wizard),
    fieldList(wizard, near, t('import.columns.title')),
    far.length > 0 && h('details', { class: 'fold' }, h('summary', {}, t('import.columns.others', { n: far.length })), fieldList(wizard, far, t('import.columns.others', { n: far.length }))),
    unused.length > 0 && h('p', { class: 'muted' }, t('import.columns.unused', { names: unused.map(({ name }) => name).join(language() === 'zh' ? '、' : ', ') })),
    manner(wizard),
    missing.length > 0 && h('p', { class: 'hint warn', role: 'status' }, t('import.columns.missing', { names: missing.map(({ title }) => pick(title, language())).join(language() === 'zh' ? '、' : ', ') })),
    h('div', { class: 'buttons end' },
      h('button', { type: 'button', class: 'button quiet', onclick: () => wizard.go(1) }, t('panel.back')),
      h('button', { type: 'button', class: 'button', 'data-key': 'check', disabled: missing.length > 0, onclick: () => void wizard.check() }, t('import.check'))),
  ];
}

/** @param {Wizard} wizard */
function layerChoice(wizard) {
  const { found, choice } = wizard;
  const lang = language();
  const select = h('select', { 'data-key': 'layer' }, (found.layers ?? []).map((layer) => {
    const words = [pick(layer.title, lang), layer.suits ? t('import.layer.matched', { n: layer.matched }) : t('import.layer.unsuited')];
    return h('option', { value: layer.id }, words.join(' · '));
  }));
  select.value = choice.layer;
  select.addEventListener('change', () => void wizard.chooseLayer(select.value));
  return h('div', { class: 'import-layer' }, labelled([t('import.layer')], select));
}

/** @param {Wizard} wizard @param {readonly FieldChoice[]} fields @param {string} label */
function fieldList(wizard, fields, label) {
  return h('div', { class: 'import-fields', role: 'list', 'aria-label': label }, fields.map((field) => fieldRow(wizard, field)));
}

/** Required ones first, then those with a column, then the rest; else as the layer has them. @param {readonly FieldChoice[]} fields */
function fieldsInOrder(fields) {
  /** @param {FieldChoice} field */
  const rank = ({ required, column }) => (required ? 0 : column ? 1 : 2);
  return [...fields].sort((a, b) => rank(a) - rank(b));
}

/** @param {Wizard} wizard @param {FieldChoice} field */
function fieldRow(wizard, field) {
  const { found, choice } = wizard;
  const lang = language();
  const columns = found.columns ?? [];
  const present = choice.mapping[field.field] ?? '';
  const column = columns.find(({ name }) => name === present);
  const select = h(
    'select', { 'data-key': `field-${field.field}`, 'aria-required': String(field.required), 'aria-invalid': String(field.required && !present) },
    h('option', { value: '' }, t('import.columns.none')), columns.map(({ name }) => h('option', { value: name }, name)),
  );
  select.value = present;
  select.addEventListener('change', () => wizard.chooseColumn(field.field, select.value));
  const proposed = present !== '' && present === field.column;
  const label = labelled([pick(field.title, lang), field.unit && h('span', { class: 'unit' }, ` ${field.unit}`), field.required && h('span', { class: 'import-required', title: t('import.columns.required') }, ' *')], select);
  return h(
    'div', { class: `import-field${present ? '' : ' unmapped'}`, role: 'listitem' }, label,
    column && h('p', { class: 'import-sample' },
      column.samples.length ? h('span', { class: 'code' }, column.samples.join(' | ')) : h('span', { class: 'muted' }, t('import.columns.empty')),
      proposed && !field.certain && h('span', { class: 'import-look' }, ` ${t('import.columns.look', { share: percent(field.score, lang) })}`),
      proposed && h('span', { class: 'muted' }, ` ${pick(field.why, lang)}`),
      proposed && field.unknown_words.length > 0 && h('span', { class: 'import-converted' }, ` ${t('import.columns.words', { words: field.unknown_words.join(lang === 'zh' ? '、' : ', ') })}`),
      proposed && field.unit_from && h('span', { class: 'import-converted' }, ` ${t('import.columns.unit', { from: field.unit_from, to: field.unit ?? '' })}`)),
  );
}

/** Source and manner of the import. @param {Wizard} wizard */
function manner(wizard) {
  const { choice } = wizard;
  /** @param {'source' | 'bureau' | 'accuracy'} key @param {Record<string, any>} [attributes] */
  const text = (key, attributes = {}) => {
    const input = h('input', { type: 'text', value: choice[key], maxlength: 200, 'data-key': key, ...attributes });
    input.addEventListener('change', () => { choice[key] = input.value; });
    return labelled([t(`import.${key}`)], input);
  };
  /** @param {'mode' | 'outside'} key @param {readonly string[]} values */
  const oneOf = (key, values) => {
    const select = h('select', { 'data-key': key }, values.map((value) => h('option', { value }, t(`import.${key}.${value}`))));
    select.value = choice[key];
    select.addEventListener('change', () => { Object.assign(choice, { [key]: select.value }); });
    return labelled([t(`import.${key}`)], select);
  };
  return h(
    'details', { class: 'fold' }, h('summary', {}, t('import.manner')),
    text('source'), text('bureau'), text('accuracy', { inputmode: 'decimal' }),
    oneOf('mode', ['upsert', 'replace', 'append']), oneOf('outside', ['refuse', 'keep']),
  );
}
