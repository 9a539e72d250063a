import js from '@eslint/js';
import globals from 'globals';

// The order of the rooms in web/js, from the ground up: pure < api, state, words < map, ui < main.
// A room may import from the rooms below it and, except for pure's neighbours, from itself.
const above = {
  pure: ['**/api.js', '**/state.js', '**/words.js', '**/screen.js', '**/map/**', '**/ui/**', '**/main.js'],
  ground: ['**/map/**', '**/ui/**', '**/main.js'],
  map: ['**/ui/**', '**/main.js'],
  ui: ['**/map/**', '**/main.js'],
};

const keepBelow = (files, room) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', {
      patterns: [{ group: above[room], message: 'The order is pure < api, state < map, ui < main.' }],
    }],
  },
});

// Text reaches the page as text. Markup from a string lets a layer's name or a row's value run as code.
const markup = 'Set textContent, or build elements; never markup from a string.';

export default [
  { ignores: ['web/vendor/**', 'build/**', '.venv/**'] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: 'module' },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-new-func': 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-shadow': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'max-lines': ['error', 500],
      'no-restricted-properties': ['error',
        { property: 'insertAdjacentHTML', message: markup },
        { object: 'document', property: 'write', message: markup },
      ],
      'no-restricted-syntax': ['error', {
        selector: 'AssignmentExpression[left.property.name=/^(innerHTML|outerHTML)$/]:not([right.type="Literal"])',
        message: markup,
      }],
    },
  },
  { files: ['web/js/**/*.js'], languageOptions: { globals: { ...globals.browser, protomapsL: 'readonly' } } },
  { files: ['eslint.config.js'], languageOptions: { globals: globals.nodeBuiltin } },
  keepBelow(['web/js/pure/**'], 'pure'),
  keepBelow(['web/js/api.js', 'web/js/state.js', 'web/js/words.js', 'web/js/screen.js'], 'ground'),
  keepBelow(['web/js/map/**'], 'map'),
  keepBelow(['web/js/ui/**'], 'ui'),
  keepBelow(['web/js/import/**'], 'ui'),
];
