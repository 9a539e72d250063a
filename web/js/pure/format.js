/** Numbers, measures and dates in words. No DOM, no Leaflet. */

/** @typedef {import('../types').Lang} Lang */
/** @typedef {import('../types').Words} Words */

/** Shown where there is nothing to show. */
export const NOTHING = '—';

/** @type {Record<Lang, string>} */
const LOCALES = { zh: 'zh-CN', en: 'en-GB' };

/**
 * A number with grouped thousands, rounded to a sensible number of significant digits.
 * @param {number | null | undefined} value
 * @param {Lang} lang
 * @param {number} [digits] decimals; by default fewer the larger the number
 */
export function number(value, lang, digits) {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const decimals = digits ?? (Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2);
  return new Intl.NumberFormat(LOCALES[lang], {
    minimumFractionDigits: 0,
    maximumFractionDigits: decimals,
  }).format(value);
}

/**
 * An area given in square metres: m² below one hectare, then ha, then km².
 * @param {number | null | undefined} squareMetres
 * @param {Lang} lang
 */
export function area(squareMetres, lang) {
  if (squareMetres === null || squareMetres === undefined) return NOTHING;
  if (Math.abs(squareMetres) >= 1e6) return `${number(squareMetres / 1e6, lang, 2)} km²`;
  if (Math.abs(squareMetres) >= 1e4) return `${number(squareMetres / 1e4, lang, 2)} ${lang === 'zh' ? '公顷' : 'ha'}`;
  return `${number(squareMetres, lang, Math.abs(squareMetres) >= 100 ? 0 : 1)} m²`;
}

/**
 * A length or distance given in metres: m below one kilometre, then km.
 * @param {number | null | undefined} length
 * @param {Lang} lang
 */
export function metres(length, lang) {
  if (length === null || length === undefined) return NOTHING;
  if (Math.abs(length) >= 1000) return `${number(length / 1000, lang, Math.abs(length) >= 1e5 ? 0 : 2)} km`;
  return `${number(length, lang, Math.abs(length) >= 10 ? 0 : 1)} m`;
}

/**
 * A share between 0 and 1 as per cent; what is not nothing never reads as 0 %, nor what is not all as 100 %.
 * @param {number | null | undefined} share
 * @param {Lang} lang
 */
export function percent(share, lang) {
  if (share === null || share === undefined) return NOTHING;
  const value = share * 100;
  if (value > 0 && value < 0.1) return '< 0.1 %';
  if (value < 100 && value > 99.9) return '> 99.9 %';
  return `${number(value, lang, 1)} %`;
}

/** @type {Record<Lang, string[]>} */
const WINDS = {
  zh: ['北', '东北', '东', '东南', '南', '西南', '西', '西北'],
  en: ['north', 'north-east', 'east', 'south-east', 'south', 'south-west', 'west', 'north-west'],
};

/**
 * The wind of a bearing in degrees clockwise from north.
 * @param {number | null | undefined} degrees
 * @param {Lang} lang
 */
export function bearing(degrees, lang) {
  if (degrees === null || degrees === undefined || !Number.isFinite(degrees)) return '';
  return WINDS[lang][((Math.round(degrees / 45) % 8) + 8) % 8] ?? '';
}

/**
 * An ISO date (the day only) in the manner of the language.
 * @param {string | null | undefined} iso
 * @param {Lang} lang
 */
export function date(iso, lang) {
  const match = /^(\d{4})-(\d{2})-(\d{2})/.exec(iso ?? '');
  if (!match) return iso ?? NOTHING;
  const [, year, month, day] = match;
  if (lang === 'zh') return `${year}年${Number(month)}月${Number(day)}日`;
  return new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).toLocaleDateString('en-GB', {
    day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC',
  });
}

/**
 * How long ago a moment was, in the largest unit that fits, such as "3 days ago".
 * @param {string} iso
 * @param {Date} now
 * @param {Lang} lang
 * @returns {string}
 */
export function ago(iso, now, lang) {
  const seconds = Math.max(0, (now.getTime() - Date.parse(iso)) / 1000);
  const words = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
  /** @type {[Intl.RelativeTimeFormatUnit, number][]} */
  const units = [['year', 31_556_952], ['month', 2_629_746], ['day', 86_400], ['hour', 3600], ['minute', 60]];
  for (const [unit, length] of units) {
    if (seconds >= length) return words.format(-Math.floor(seconds / length), unit);
  }
  return words.format(0, 'minute');
}

/**
 * A position in degrees and hemisphere.
 * @param {number} lon degrees east
 * @param {number} lat degrees north
 */
export function position(lon, lat) {
  return `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? 'S' : 'N'}  ${Math.abs(lon).toFixed(5)}° ${lon < 0 ? 'W' : 'E'}`;
}

/**
 * The words of a bilingual text; the other language when one is missing; plain strings pass through.
 * @param {Words | string | null | undefined} words
 * @param {Lang} lang
 */
export function pick(words, lang) {
  if (!words) return '';
  if (typeof words === 'string') return words;
  return words[lang] || words.zh || words.en || '';
}

/**
 * Several names in a row, as the language strings them together.
 * @param {readonly string[]} names
 * @param {Lang} lang
 */
export function listed(names, lang) {
  return names.join(lang === 'zh' ? '、' : ', ');
}
