/** What becomes of files that fall onto the map: a site to be judged, rows of a layer, or as the user says. */

import { intentions } from '../pure/import.js';
import { readSites } from '../pure/site.js';
import { t } from '../words.js';
import { askWay } from '../ui/dialog.js';

/** Larger texts are no parcels. */
const LARGEST_SITE = 5_000_000;

/**
 * @param {readonly File[]} files
 * @param {{screen: (file: File) => void, load: (files: readonly File[]) => void}} on
 */
export async function sortDrop(files, on) {
  const [first] = files;
  if (!first) return;
  const { screen, load } = intentions(files, ...(await looked(files)));
  if (screen && load) {
    const way = await askWay(t('drop.title', { name: first.name }), [
      { icon: 'site', words: t('drop.screen'), hint: t('drop.screen.why') },
      { icon: 'upload', words: t('drop.import'), hint: t('drop.import.why') },
    ]);
    if (way === 0) on.screen(first);
    if (way === 1) on.load(files);
  } else if (load) on.load(files);
  else on.screen(first);
}

/**
 * The sites of the only file, when it is a text that holds some, and whether it lists boundary points.
 * @param {readonly File[]} files
 * @returns {Promise<[ReturnType<typeof readSites> | null, boolean]>}
 */
async function looked(files) {
  const [file] = files;
  if (files.length !== 1 || !file || file.size > LARGEST_SITE) return [null, false];
  const bytes = await file.arrayBuffer();
  const text = new TextDecoder().decode(bytes);
  // Land bureaus write these tables in GBK.
  const isBoundaryPoints = /\[(地块坐标|属性描述)\]/.test(new TextDecoder('gb18030').decode(bytes.slice(0, 65536)) + text.slice(0, 65536));
  try {
    return [readSites(text), isBoundaryPoints];
  } catch {
    return [null, isBoundaryPoints];
  }
}
