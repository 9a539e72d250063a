/** The import of a file in four steps, in the panel at the side; one import at a time, found again after a reload. */

import * as api from '../api.js';
import { firstChoice, firstMapping, isBusy, planOf, stepOf, twoGuesses, union } from '../pure/import.js';
import { switched } from '../state.js';
import { language, t } from '../words.js';
import { h, renew } from '../ui/dom.js';
import { pick } from '../pure/format.js';
import { checkStep, doneStep } from './check.js';
import { columnStep } from './columns.js';
import { fileStep } from './file.js';
import { startStep } from './start.js';

/** @typedef {import('../types').App} App */
/** @typedef {import('../types').Import} Import */
/** @typedef {import('../types').RowFeatures} RowFeatures */

const STEPS = /** @type {const} */ (['import.step.file', 'import.step.columns', 'import.step.check', 'import.step.done']);
/** How long to wait before asking again, in milliseconds: at first, and at most. */
const [SOON, LATER] = [150, 1500];
/** @type {Import} */
const NONE = { id: '', state: 'ready', files: null, progress: null, problem: null };

/** @param {App} app @param {import('../ui/panel.js').Panel} panel */
export function createWizard(app, panel) {
  const steps = h('ol', { class: 'import-steps' });
  const content = h('div', { class: 'import-content' });
  const spoken = h('p', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
  /** Which import the answers under way belong to. */
  let turn = 0;
  /** @type {Map<string, Promise<RowFeatures>>} */
  let previews = new Map();
  let inFront = false;

  const wizard = {
    app,
    found: NONE,
    choice: firstChoice(NONE),
    step: 0,
    /** @type {number | null} share of the files that has gone up */
    uploading: null,
    /** @type {unknown} */
    failure: null,
    /** @type {{allowed: boolean, max_bytes: number} | null} */
    terms: null,

    /** Upload files and begin. @param {readonly File[]} files */
    async take(files) {
      const mine = begin();
      open();
      wizard.terms ??= await api.fetchImportTerms().catch(() => null);
      const stranger = !app.store.get().session?.signed_in && app.store.get().session?.accounts;
      if (wizard.terms && !wizard.terms.allowed && stranger && await app.signIn()) {
        wizard.terms = await api.fetchImportTerms().catch(() => null);
      }
      if (mine !== turn) return;
      const bytes = files.reduce((sum, { size }) => sum + size, 0);
      if (wizard.terms && !wizard.terms.allowed) return render();
      if (wizard.terms && bytes > wizard.terms.max_bytes) {
        wizard.failure = new api.ApiError({ status: 413, code: 'too_large', ...tooLarge(wizard.terms.max_bytes) });
        return render();
      }
      wizard.uploading = 0;
      say('import.uploading');
      render();
      try {
        const { id } = await api.uploadFiles(files, (share) => {
          wizard.uploading = share;
          content.querySelector('progress')?.setAttribute('value', String(share));
        });
        if (mine !== turn) return void api.removeImport(id).catch(() => undefined);
        app.store.set({ importing: id });
        wizard.found = { ...NONE, id, state: 'reading' };
        await follow(mine);
      } catch (error) {
        if (mine === turn) wizard.failure = error;
      } finally {
        if (mine === turn) {
          wizard.uploading = null;
          render();
        }
      }
    },

    /** An import named in a link. @param {string} id */
    async restore(id) {
      const mine = begin(false);
      wizard.found = { ...NONE, id, state: 'reading' };
      app.store.set({ importing: id });
      open();
      try {
        await follow(mine);
      } catch (error) {
        if (mine !== turn) return;
        Object.assign(wizard, { failure: error, found: NONE });
        app.store.set({ importing: null });
        render();
      }
    },

    /** Empty again, for the next file. */
    restart() {
      begin();
      render();
      focusStep();
    },

    /** @param {number} number of a step that has been reached before */
    go(number) {
      wizard.step = number;
      render();
      mark();
      focusStep();
    },

    /** @param {number} group @param {string} crs */
    chooseCrs(group, crs) {
      wizard.choice.crs[group] = crs;
      forgetCheck();
      render();
      mark();
    },

    /** @param {string} field @param {string} column '' for none */
    chooseColumn(field, column) {
      wizard.choice.mapping[field] = column;
      forgetCheck();
      render();
    },

    /** @param {string} layer */
    async chooseLayer(layer) {
      const mine = turn;
      try {
        const found = await api.fetchImport(wizard.found.id, layer);
        if (mine !== turn) return;
        forgetCheck();
        wizard.found = { ...wizard.found, proposal: found.proposal ?? null, problem: null };
        const { crs } = wizard.choice;
        const fresh = firstChoice({ ...wizard.found, plan: null });
        wizard.choice = { ...wizard.choice, layer, mapping: firstMapping(found.proposal?.mapping ?? []), crs: { ...fresh.crs, ...crs } };
        render();
      } catch (error) {
        app.fail(error);
      }
    },

    async check() {
      wizard.choice.closeMany = false;
      await step(() => api.planImport(wizard.found.id, planOf(wizard.choice)), 'checking', 3);
      if (wizard.found.state === 'ready') wizard.go(2);
    },

    /** @param {boolean} may whether many rows may be closed */
    confirmClosing(may) {
      wizard.choice.closeMany = may;
      render();
    },

    async commit() {
      await step(() => api.commitImport(wizard.found.id, wizard.choice.closeMany), 'committing', 4);
      if (wizard.found.state === 'planned') wizard.go(3);
      if (wizard.found.result) await app.renewLayer(wizard.found.result.layer).catch(app.fail);
    },

    /** Show the layer that was imported into, at the imported rows. */
    look() {
      const layer = wizard.found.result?.layer ?? '';
      app.rowMarks.clearAll();
      app.store.set({ visible: switched(app.store.get().visible, layer, true) });
      void api.fetchImportChanges(wizard.found.id).then(({ bbox }) => bbox && app.showBox(bbox), app.fail);
    },
  };

  /** Leave what is there behind. @param {boolean} [remove] also at the service, when it came to nothing */
  function begin(remove = true) {
    const { id, state } = wizard.found;
    if (remove && id && state !== 'done' && state !== 'committing') api.removeImport(id).catch(() => undefined);
    turn += 1;
    Object.assign(wizard, { found: NONE, choice: firstChoice(NONE), step: 0, uploading: null, failure: null });
    previews = new Map();
    app.rowMarks.clearAll();
    app.store.set({ importing: null });
    return turn;
  }

  /** Ask for a step of the service and wait for its end. @param {() => Promise<unknown>} ask @param {Import['state']} state @param {number} shown */
  async function step(ask, state, shown) {
    const mine = turn;
    wizard.found = { ...wizard.found, state, problem: null, progress: null, ...(state === 'checking' ? { check: null } : {}) };
    wizard.step = shown;
    say(`import.${state}`);
    render();
    focusStep();
    try {
      await ask();
      await follow(mine);
    } catch (error) {
      app.fail(error);
      if (mine === turn) await follow(mine).catch(app.fail);
    }
  }

  /** Ask how far it is until nobody works on it any more. @param {number} mine */
  async function follow(mine) {
    let pause = SOON;
    for (;;) {
      const before = wizard.found.state;
      const found = await api.fetchImport(wizard.found.id, wizard.choice.layer || undefined);
      if (mine !== turn) return;
      wizard.found = found;
      if (!isBusy(found)) return arrived(before);
      render();
      await new Promise((resolve) => { setTimeout(resolve, pause); });
      pause = Math.min(LATER, pause * 1.5);
      if (mine !== turn) return;
    }
  }

  /** A step of the service has ended. @param {Import['state']} before */
  function arrived(before) {
    const { found } = wizard;
    if (!wizard.choice.layer) wizard.choice = firstChoice(found);
    wizard.uploading = null;
    wizard.step = before === 'checking' && found.state === 'ready' ? 2 : stepOf(found);
    say(`import.state.${found.state}`);
    render();
    mark();
    focusStep();
  }

  /** Terms show before there is an import, or when there can be none; else the focus stays where it is. @param {NonNullable<typeof wizard.terms>} terms */
  function heard(terms) {
    wizard.terms = terms;
    if (!terms.allowed || !wizard.found.id) render();
  }

  /** What was tried is no longer what is chosen. */
  function forgetCheck() {
    if (wizard.found.check) wizard.found = { ...wizard.found, check: null, state: 'ready' };
  }

  /** Draw on the map what belongs to the step. */
  function mark() {
    app.rowMarks.clearAll();
    if (!inFront || !wizard.found.id) return;
    if (wizard.step === 1 || wizard.step === 2) void markGuesses();
    else if (wizard.step === 3 && wizard.found.check) void markChanges();
  }

  async function markGuesses() {
    const groups = wizard.found.proposal?.crs?.groups ?? [];
    const boxes = await Promise.all(groups.flatMap((group) => {
      const guesses = twoGuesses(group, wizard.choice.crs[group.number] ?? '').slice(0, wizard.step === 1 ? 2 : 1);
      return guesses.map((crs, at) => markGuess(group, crs, at));
    }));
    const whole = union(boxes);
    if (whole && inFront) app.showBox(whole);
  }

  /**
   * Draw a group as it would lie; the box of the chosen reading.
   * @param {import('../types').CrsGroup} group @param {string} crs @param {number} at 0 the chosen one, 1 the next best
   */
  async function markGuess(group, crs, at) {
    const [mine, key] = [turn, `${group.number} ${crs}`];
    const layer = wizard.choice.layer;
    const asked = previews.get(key) ?? api.fetchImportPreview(wizard.found.id, { crs, layer, group: group.number });
    previews.set(key, asked);
    try {
      const rows = await asked;
      if (mine !== turn || !inFront || (wizard.choice.crs[group.number] === crs) !== (at === 0)) return null;
      const title = group.candidates.find((each) => each.crs === crs)?.title;
      const name = title ? pick(title, language()) : crs;
      app.rowMarks.show(`${group.number}-${at}`, rows, at === 0 ? 'first' : 'second', ({ row }) => t('import.row', { n: row ?? '', name }));
      return at === 0 ? rows.bbox : null;
    } catch (error) {
      previews.delete(key);
      if (at === 0) app.fail(error);
      return null;
    }
  }

  async function markChanges() {
    const mine = turn;
    try {
      const rows = await api.fetchImportChanges(wizard.found.id);
      if (mine !== turn || !inFront || wizard.step !== 3) return;
      app.rowMarks.show('changes', rows, 'added', ({ change, uid }) => `${t(`import.count.${change ?? 'added'}`)} · ${uid ?? ''}`);
      if (rows.bbox) app.showBox(rows.bbox);
    } catch (error) {
      app.fail(error);
    }
  }

  /** For those who do not see the panel change. @param {string} key */
  function say(key) {
    spoken.textContent = t(key);
  }

  /** To the beginning of the new step, for the keyboard and those who listen. */
  function focusStep() {
    const heading = content.querySelector('.import-heading');
    if (heading instanceof HTMLElement && inFront) heading.focus({ preventScroll: true });
    content.closest('.panel-body')?.scrollTo(0, 0);
  }

  function render() {
    renew(steps, STEPS.map((key, at) => stepButton(key, at + 1)));
    steps.setAttribute('aria-label', t('import.steps'));
    const heading = wizard.step > 0 && h('h3', { class: 'import-heading visually-hidden', tabindex: '-1' }, t(STEPS[wizard.step - 1] ?? STEPS[0]));
    const views = [startStep, fileStep, columnStep, checkStep, doneStep];
    renew(content, heading, (views[wizard.step] ?? startStep)(wizard));
  }

  /** @param {string} key @param {number} number */
  function stepButton(key, number) {
    const { state, check } = wizard.found;
    const reached = wizard.step > 0 && state !== 'done' && !isBusy(wizard.found) && (number < 3 || (number === 3 && Boolean(check)));
    const present = number === wizard.step;
    return h('li', { class: number < wizard.step ? 'past' : '', 'aria-current': present ? 'step' : null },
      h('button', { type: 'button', disabled: !reached || present, 'data-key': key, onclick: () => wizard.go(number) }, h('b', {}, number), h('span', {}, t(key))));
  }

  /** @param {number} bytes */
  function tooLarge(bytes) {
    const size = `${Math.round(bytes / 2 ** 20)} MB`;
    return { detail: t('import.too_large', { size }), remedy: t('import.too_large.remedy') };
  }

  /** @type {import('../ui/panel.js').View} */
  const view = {
    kind: 'import',
    title: () => t('import.title'),
    render(body) {
      render();
      body.append(steps, spoken, content);
    },
    shown() {
      inFront = true;
      if (!wizard.terms) void api.fetchImportTerms().then(heard, app.fail);
      mark();
    },
    left() {
      inFront = false;
      app.rowMarks.clearAll();
    },
  };

  let person = app.store.get().session;
  app.store.subscribe(['session'], ({ session }) => {
    const another = person && person.name !== session?.name;
    person = session;
    // What is shown stays as it is, the focus too, unless it was refused or somebody else works now.
    if (another) wizard.terms = null;
    if (inFront && another) view.shown?.();
    else if (inFront && wizard.terms?.allowed === false) render();
  });

  function open() {
    if (panel.kind() === 'import') render();
    else panel.open(view);
  }

  return { open, take: wizard.take, restore: wizard.restore, wizard };
}

/** @typedef {ReturnType<typeof createWizard>['wizard']} Wizard */
