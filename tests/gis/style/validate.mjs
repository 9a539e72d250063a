// Reads a list of MapLibre styles from standard input; prints what the style specification objects to.
import { validateStyleMin } from '@maplibre/maplibre-gl-style-spec';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const found = JSON.parse(text).flatMap((style) =>
  validateStyleMin(style).map((error) => `${style.name}: ${error.message}`),
);
process.stdout.write(JSON.stringify(found));
