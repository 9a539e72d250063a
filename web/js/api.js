/** The service over HTTP. The only module that knows URLs; all are relative to where this file comes from. */

/** @typedef {import('./types').Answer} Answer */
/** @typedef {import('./types').Box} Box */
/** @typedef {import('./types').Config} Config */
/** @typedef {import('./types').ConflictSummary} ConflictSummary */
/** @typedef {import('./types').Hit} Hit */
/** @typedef {import('./types').Item} Item */
/** @typedef {import('./types').Items} Items */
/** @typedef {import('./types').Lang} Lang */
/** @typedef {import('./types').Problem} Problem */
/** @typedef {import('./types').Session} Session */

/** What the service refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.detail || problem.title || `HTTP ${problem.status}`);
    this.name = 'ApiError';
    this.problem = problem;
  }

  /**
   * What went wrong and what to do, in the user's language as far as the service says it.
   * @param {Lang} lang
   * @returns {{detail: string, remedy: string}}
   */
  words(lang) {
    const { problem } = this;
    return {
      detail: problem[`detail_${lang}`] || problem.detail || problem.title || '',
      remedy: problem[`remedy_${lang}`] || problem.remedy || '',
    };
  }
}

const base = new URL('../../', import.meta.url);

/** @param {string} path @param {Record<string, string | number | undefined | null>} [query] */
function url(path, query = {}) {
  const target = new URL(path, base);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') target.searchParams.set(key, String(value));
  }
  return target;
}

/** @param {Response} response @returns {Promise<Problem>} */
async function problemOf(response) {
  const body = await response.json().catch(() => null);
  return { title: response.statusText, ...(body ?? {}), status: response.status };
}

/** The word of the session, which goes with every change: a foreign page can send the cookie, and not read this. */
let csrf = '';
/** Asks the user to sign in after a refusal; whether it is worth asking again. @type {(problem: Problem) => Promise<boolean>} */
let gate = async () => false;

/** @param {(problem: Problem) => Promise<boolean>} handler */
export function onSignInNeeded(handler) {
  gate = handler;
}

/** @param {URL} target @param {RequestInit} options */
async function send(target, options) {
  /** @type {Record<string, string>} */
  const word = options.method && csrf ? { 'X-CSRF-Token': csrf } : {};
  let response;
  try {
    response = await fetch(target, { ...options, headers: { 'Accept-Language': document.documentElement.lang, ...word, ...options.headers } });
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError') throw error;
    throw new ApiError({ status: 0, code: 'unreachable' });
  }
  if (!response.ok) throw new ApiError(await problemOf(response));
  return response;
}

/** The same, asked once more when the user signs in after a refusal. @param {URL} target @param {RequestInit} [options] */
async function request(target, options = {}) {
  try {
    return await send(target, options);
  } catch (error) {
    if (await opensGate(error)) return send(target, options);
    throw error;
  }
}

/** @param {unknown} error */
async function opensGate(error) {
  return error instanceof ApiError && error.problem.status === 401 && gate(error.problem);
}

/** @param {URL} target @param {RequestInit} [options] */
async function json(target, options) {
  const response = await request(target, { ...options, headers: { Accept: 'application/json', ...options?.headers } });
  return response.json();
}

/** Words of the interface in one language. @param {Lang} lang @returns {Promise<Record<string, string>>} */
export const fetchLocale = (lang) => json(url(`web/locale/${lang}.json`));

/** @param {Response} response @returns {Promise<Session>} */
async function sessionOf(response) {
  const session = await response.json();
  csrf = session.csrf ?? '';
  return session;
}

/** Who is signed in; refused when the session has ended. */
export const fetchSession = async () => sessionOf(await send(url('session'), {}));

/** @param {string} name @param {string} password */
export const signIn = async (name, password) => sessionOf(await send(url('session'), {
  method: 'POST', body: JSON.stringify({ name, password }), headers: { 'Content-Type': 'application/json' },
}));

/** End the session, also one that has ended by itself, or that another window has begun. */
export async function signOut() {
  await fetchSession().catch(() => undefined);
  await send(url('session'), { method: 'DELETE' });
}
/** The JSON at an address that a page of the API names. @param {string} address */
export const fetchDocument = (address) => json(new URL(address));

/** @returns {Promise<Config>} */
export const fetchConfig = () => json(url('app/config'));

/** @returns {Promise<ConflictSummary>} */
export const fetchConflictSummary = () => json(url('app/conflicts'));

/** How well each layer stands. @returns {Promise<{layers: import('./types').HealthCard[]}>} */
export const fetchHealth = () => json(url('health/layers'));

/** @param {string} text @param {AbortSignal} [signal] @returns {Promise<Hit[]>} */
export const fetchHits = (text, signal) => json(url('app/search', { q: text }), { signal: signal ?? null });

/**
 * One feature, by its uid.
 * @param {string} layer
 * @param {string} uid
 * @returns {Promise<Item>}
 */
export const fetchItem = (layer, uid) => json(url(`collections/${enc(layer)}/items/${enc(uid)}`, { f: 'json' }));

/**
 * What the sources state about the thing that an item means.
 * @param {string} layer
 * @param {string} uid
 * @returns {Promise<import('./types').Thing>}
 */
export const fetchClaims = (layer, uid) => json(url(`collections/${enc(layer)}/claims/${enc(uid)}`, {}));

/**
 * A page of features.
 * @param {string} layer
 * @param {{bbox?: Box, limit?: number, offset?: number, [field: string]: unknown}} query field filters by name
 * @returns {Promise<Items>}
 */
export const fetchItems = (layer, query) => {
  const { bbox, ...rest } = query;
  const plain = /** @type {Record<string, string | number | undefined>} */ (rest);
  // The parameter bbox keeps items without a place too (OGC API Features); here only what stands there counts.
  const filter = bbox && `S_INTERSECTS(geometry, BBOX(${bbox.join(',')}))`;
  return json(url(`collections/${enc(layer)}/items`, { f: 'json', ...plain, filter }));
};

/**
 * A further page, from a link of an earlier one; only its path is used, so it stays on this host.
 * @param {string} href
 * @returns {Promise<Items>}
 */
export const fetchPage = (href) => {
  const { search } = new URL(href, base);
  const path = new URL(href, base).pathname.replace(/^.*?(?=\/collections\/)/, '').slice(1);
  return json(new URL(path + search, base));
};

/**
 * Bytes of a vector tile; empty when nothing stands there.
 * @param {string} layer
 * @param {{z: number, x: number, y: number}} tile
 * @param {Record<string, string | number | null>} query filters by property, and the revision to name the content
 * @param {AbortSignal} [signal]
 * @returns {Promise<ArrayBuffer>}
 */
export async function fetchTile(layer, { z, x, y }, query, signal) {
  const target = url(`collections/${enc(layer)}/tiles/WebMercatorQuad/${z}/${y}/${x}`, query);
  const response = await request(target, { signal: signal ?? null });
  return response.arrayBuffer();
}

/** Tile address of a raster, with {z}, {y} and {x} left open. @param {string} raster */
export const rasterTiles = (raster) =>
  `${base.pathname}rasters/${enc(raster)}/tiles/WebMercatorQuad/{z}/{y}/{x}.png`;

/**
 * The value of a raster at a place.
 * @param {string} raster
 * @param {number} lon degrees
 * @param {number} lat degrees
 * @returns {Promise<{value: number | null, unit?: string, label?: import('./types').Words | string | null}>}
 */
export const fetchRasterValue = (raster, lon, lat) => json(url(`rasters/${enc(raster)}/value`, { lon, lat }));

/**
 * The answer to "may this stand here?".
 * @param {import('./types').SiteQuery} inputs
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>}
 */
export const screenSite = (inputs, signal) =>
  json(url('processes/screen/execution'), {
    method: 'POST',
    body: JSON.stringify({ inputs }),
    headers: { 'Content-Type': 'application/json' },
    signal: signal ?? null,
  });

/**
 * The same answer, stored as a report with what would pass.
 * @param {import('./types').SiteQuery} inputs
 * @returns {Promise<import('./types').ReportLink>}
 */
export const keepReport = async (inputs) => {
  const answer = await json(url('processes/screen/execution'), {
    method: 'POST',
    body: JSON.stringify({ inputs: { ...inputs, report: true } }),
    headers: { 'Content-Type': 'application/json' },
  });
  return answer.report;
};

/** Where a form of a stored report is. @param {string} id @param {string} form @param {Lang} lang */
export const reportHref = (id, form, lang) => url(`reports/${enc(id)}`, { f: form, lang }).href;

/**
 * Only the verdicts on a site, quick enough to be asked at every corner of a drawing.
 * @param {import('./types').SiteQuery} inputs
 * @param {AbortSignal} [signal]
 * @returns {Promise<import('./types').LiveAnswer>}
 */
export const screenLive = (inputs, signal) =>
  json(url('processes/screen/execution'), {
    method: 'POST',
    body: JSON.stringify({ inputs: { ...inputs, detail: 'live' } }),
    headers: { 'Content-Type': 'application/json' },
    signal: signal ?? null,
  });

/**
 * Say something of a conflict; how it stands then.
 * @param {import('./types').NewMark} wanted
 * @returns {Promise<import('./types').Standing>}
 */
export const markConflict = (wanted) => post('conflicts/marks', wanted);

/** Whether files may be imported from here, and how large ones. @returns {Promise<{allowed: boolean, max_bytes: number}>} */
export const fetchImportTerms = () => json(url('imports'));

/**
 * Upload the files of one dataset.
 * @param {readonly File[]} files
 * @param {(share: number) => void} onProgress 0 to 1
 * @returns {Promise<{id: string}>}
 */
export async function uploadFiles(files, onProgress) {
  try {
    return await sendFiles(files, onProgress);
  } catch (error) {
    if (await opensGate(error)) return sendFiles(files, onProgress);
    throw error;
  }
}

/** @param {readonly File[]} files @param {(share: number) => void} onProgress @returns {Promise<{id: string}>} */
function sendFiles(files, onProgress) {
  const form = new FormData();
  for (const file of files) form.append('files', file, file.name);
  // fetch cannot tell how much of a body has gone.
  const asked = new XMLHttpRequest();
  asked.open('POST', url('imports'));
  asked.setRequestHeader('Accept-Language', document.documentElement.lang);
  if (csrf) asked.setRequestHeader('X-CSRF-Token', csrf);
  asked.responseType = 'json';
  asked.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total ? loaded / total : 0));
  return new Promise((resolve, reject) => {
    asked.addEventListener('error', () => reject(new ApiError({ status: 0, code: 'unreachable' })));
    asked.addEventListener('load', () => {
      if (asked.status === 201) resolve(asked.response);
      else reject(new ApiError({ ...(asked.response ?? {}), status: asked.status }));
    });
    asked.send(form);
  });
}

/** @param {string} id @param {string} [layer] @returns {Promise<import('./types').Import>} */
export const fetchImport = (id, layer) => json(url(`imports/${enc(id)}`, { layer }));

/**
 * Where the rows would lie in a CRS.
 * @param {string} id
 * @param {{crs: string, layer?: string, group?: number}} query
 * @returns {Promise<import('./types').RowFeatures>}
 */
export const fetchImportPreview = (id, query) => json(url(`imports/${enc(id)}/preview`, query));

/** @param {string} id @param {import('./types').ImportPlan} plan */
export const planImport = (id, plan) => post(`imports/${enc(id)}/plan`, plan);

/** @param {string} id @returns {Promise<import('./types').RowFeatures>} */
export const fetchImportChanges = (id) => json(url(`imports/${enc(id)}/changes`));

/** @param {string} id @param {boolean} closeMany whether more than a fifth of the source's rows may be closed */
export const commitImport = (id, closeMany) => post(`imports/${enc(id)}/commit`, { close_many: closeMany });

/** @param {string} id */
export const removeImport = (id) => request(url(`imports/${enc(id)}`), { method: 'DELETE' });

/** Where the refused rows can be had. @param {string} id @param {string} f csv, geojson, xlsx or original */
export const rejectsLink = (id, f) => url(`imports/${enc(id)}/rejects`, { f }).href;

/** The rows of a layer at a revision, for a program. @param {string} layer @param {number} rev */
export const revisionLink = (layer, rev) => url(`collections/${enc(layer)}/items`, { 'as-of': rev }).href;

/** @param {string} path @param {unknown} body */
function post(path, body) {
  return json(url(path), { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } });
}

/** @param {string} text */
function enc(text) {
  return encodeURIComponent(text);
}
