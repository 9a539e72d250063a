/** How the views of the panel are opened. */

import { switched } from '../state.js';
import { cardView } from './card.js';
import { chooserView, membersView } from './chooser.js';
import { conflictsView } from './conflicts.js';
import { healthView } from './health.js';
import { tableView } from './table.js';

/** @typedef {import('../types').App} App */

/**
 * @param {() => App} app asked when a view opens: the views need what this makes
 * @param {import('./panel.js').Panel} panel
 * @returns {Pick<App, 'openCard' | 'openChooser' | 'openMembers' | 'openTable' | 'openHealth' | 'openConflicts'>}
 */
export function createOpening(app, panel) {
  /** @param {string} id @param {(layer: import('../types').Layer) => void} open */
  const withLayer = (id, open) => {
    const layer = app().layers.get(id);
    if (layer) open(layer);
  };
  return {
    openCard: (id, uid, { over = false, zoom = false } = {}) => withLayer(id, (layer) => {
      const { store } = app();
      if (zoom && layer.geometry !== 'none') store.set({ visible: switched(store.get().visible, id, true) });
      panel.open(cardView(app(), layer, uid, { zoom }), { over });
    }),
    openChooser: (picked) => panel.open(chooserView(app(), picked)),
    openMembers: (id, box) => withLayer(id, (layer) => {
      panel.open(membersView(app(), layer, box), { over: panel.kind() === 'chooser' });
    }),
    openTable: (id) => withLayer(id, (layer) => panel.open(tableView(app(), layer))),
    openHealth: (id) => withLayer(id, (layer) => panel.open(healthView(app(), layer))),
    openConflicts: () => panel.open(conflictsView(app())),
  };
}
