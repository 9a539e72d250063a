import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { SEVERITIES, VERDICTS } from '../../../web/js/pure/verdict.js';

const web = new URL('../../../web/', import.meta.url);
const zh = JSON.parse(readFileSync(new URL('locale/zh.json', web), 'utf8'));
const en = JSON.parse(readFileSync(new URL('locale/en.json', web), 'utf8'));

const code = readdirSync(new URL('js/', web), { recursive: true })
  .filter((name) => name.endsWith('.js'))
  .map((name) => readFileSync(new URL(`js/${name}`, web), 'utf8'))
  .join('\n');
const quoted = new Set([...code.matchAll(/'([a-z_]+(?:\.[a-z_]+)+|again|loading|yes|no)'/g)].map((match) => match[1]));
const stems = [...code.matchAll(/t\(`([a-z.]+\.)\$\{/g)].map((match) => match[1]);

test('both languages say the same things', () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test('both languages fill in the same holes', () => {
  const holes = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const key of Object.keys(zh)) assert.deepEqual(holes(zh[key]), holes(en[key]), key);
});

test('every word that is used is written', () => {
  const used = [...code.matchAll(/\bt\(\s*'([\w.]+)'/g)].map((match) => match[1]);
  assert.deepEqual(used.filter((key) => !(key in zh)), []);
  for (const verdict of VERDICTS) assert.ok(`verdict.${verdict}` in zh && `verdict.${verdict}.means` in zh);
  for (const severity of SEVERITIES) assert.ok(`severity.${severity}` in zh);
});

test('every word that is written is used', () => {
  const idle = Object.keys(zh).filter((key) => !quoted.has(key) && !stems.some((stem) => key.startsWith(stem)));
  assert.deepEqual(idle, []);
});
