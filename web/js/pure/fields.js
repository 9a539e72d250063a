/** A feature's attributes in words: titles, code lists, units, dates, yes and no. */

import { date, number, pick } from './format.js';

/** @typedef {import('../types').Field} Field */
/** @typedef {import('../types').Lang} Lang */
/** @typedef {import('../types').Layer} Layer */
/** @typedef {import('../types').Properties} Properties */

/** @type {Record<Lang, [string, string]>} */
const YES_NO = { zh: ['是', '否'], en: ['yes', 'no'] };

/**
 * One value in words; '' when it is not known.
 * @param {Field} field
 * @param {unknown} value
 * @param {Lang} lang
 * @returns {string}
 */
export function valueInWords(field, value, lang) {
  if (value === null || value === undefined || value === '') return '';
  if (typeof value === 'boolean') return YES_NO[lang][value ? 0 : 1];
  if (field.codes?.length) {
    const code = field.codes.find((each) => each.code === String(value));
    return code ? pick(code, lang) : String(value);
  }
  if (field.type === 'date') return date(String(value), lang);
  if (field.type === 'datetime') return `${date(String(value), lang)} ${String(value).slice(11, 16)}`;
  if (typeof value === 'number' && field.type !== 'text') {
    const year = field.type === 'integer' && !field.unit && value > 1800 && value < 2200;
    const shown = year ? String(value) : number(value, lang, field.type === 'integer' ? 0 : 3);
    return field.unit ? `${shown} ${field.unit}` : shown;
  }
  return String(value);
}

/**
 * Rows of a card: every field of the definition, in its order, known values first kept apart from unknown ones.
 * @param {Layer} layer
 * @param {Properties} properties
 * @param {Lang} lang
 * @returns {{known: {name: string, title: string, text: string}[], unknown: string[]}}
 */
export function cardRows(layer, properties, lang) {
  const known = [];
  const unknown = [];
  for (const field of layer.fields) {
    const title = pick(field.title, lang) || field.name;
    const text = valueInWords(field, properties[field.name], lang);
    if (text) known.push({ name: field.name, title, text });
    else unknown.push(title);
  }
  return { known, unknown };
}

/**
 * What a feature is called: the label field, else its uid.
 * @param {Layer} layer
 * @param {Properties} properties
 */
export function labelOf(layer, properties) {
  const named = layer.names.label ? properties[layer.names.label] : properties['label'];
  return String(named || properties['label'] || properties['name'] || properties['uid'] || '');
}

/**
 * Titles of fields by name, for lists such as `missing`; a name nobody declares stays as it is.
 * @param {readonly {name: string, title: import('../types').Words}[]} fields
 * @param {readonly string[]} names
 * @param {Lang} lang
 */
export function titlesOf(fields, names, lang) {
  return names.map((name) => pick(fields.find((field) => field.name === name)?.title, lang) || name);
}
