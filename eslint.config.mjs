// The engine's JavaScript (files/mirth) runs in Rhino 1.7.13, which knows more than ES5 and less than ES6, and an ordinary parser reads
// it. ES5 is the common part: E4X operators, template literals, default parameters, classes and async do not even parse here. What ES5
// leaves open is forbidden below: methods that came later.
import { readFileSync, readdirSync } from 'node:fs';

const LIB = 'files/mirth/lib';
const TOP = /^(?:function|var) (\w+)/gm;
const LATER = ['assign', 'entries', 'values', 'fromEntries', 'getOwnPropertySymbols'];
const LATER_METHODS = ['at', 'codePointAt', 'endsWith', 'fill', 'find', 'findIndex', 'flat', 'flatMap', 'includes', 'matchAll', 'normalize', 'padEnd', 'padStart', 'repeat', 'replaceAll', 'startsWith', 'trimEnd', 'trimStart'];

const sources = (folder) => readdirSync(folder, { recursive: true }).filter((file) => file.endsWith('.js')).map((file) => readFileSync(`${folder}/${file}`, 'utf8'));
const library = sources(LIB);
const everything = library.concat(sources('files/mirth/channels')).join('\n');
const readonly = (names) => Object.fromEntries(names.map((name) => [name, 'readonly']));
const declared = library.flatMap((text) => [...text.matchAll(TOP)].map((match) => match[1]));

// A function of the library that nobody calls: ESLint looks at one file at a time.
const used = {
  create: (context) => ({
    'Program > FunctionDeclaration': (node) => {
      if (everything.split(new RegExp(`\\b${node.id.name}\\b`)).length < 3) context.report({ node, message: `${node.id.name} is used nowhere` });
    },
  }),
};
const declaredOnce = {
  create: (context) => ({
    'Program > FunctionDeclaration': (node) => {
      if (declared.filter((name) => name === node.id.name).length > 1) context.report({ node, message: `${node.id.name} stands twice in the library` });
    },
  }),
};

const rules = {
  'array-callback-return': 'error',
  'consistent-return': 'error',
  eqeqeq: 'error',
  'guard-for-in': 'error',
  'max-len': ['error', { code: 200 }],
  'no-cond-assign': 'error',
  'no-constant-condition': 'error',
  'no-dupe-keys': 'error',
  'no-empty': 'error',
  'no-eval': 'error',
  'no-fallthrough': 'error',
  'no-redeclare': 'error',
  'no-restricted-properties': ['error',
    ...LATER.map((property) => ({ object: 'Object', property, message: 'Rhino 1.7.13 may not have it.' })),
    ...LATER_METHODS.map((property) => ({ property, message: 'Not in ES5.' })),
  ],
  'no-shadow': 'error',
  'no-undef': 'error',
  'no-unreachable': 'error',
  'no-unused-vars': ['error', { vars: 'local', args: 'after-used', caughtErrors: 'none' }],
  'no-use-before-define': ['error', { functions: false }],
  semi: 'error',
  'valid-typeof': 'error',
};

// What Mirth gives to every script, and to some kinds of step.
const MIRTH = ['$', '$cfg', 'AttachmentUtil', 'Packages', 'RawMessage', 'ResponseFactory', 'XML', 'channelId', 'channelMap', 'channelName', 'connectorMessage', 'globalChannelMap', 'globalMap', 'java', 'logger', 'router', 'sourceMap'];
const TESTS = ['arguments', 'database', 'equal', 'mapOf', 'mirth', 'readFile', 'refused', 'runStep', 'test'];
const STEPS = ['ERROR', 'QUEUED', 'SENT', 'message', 'response', 'resultMap'];

export default [
  {
    files: [`${LIB}/*.js`, 'files/mirth/channels/*/*.js'],
    linterOptions: { noInlineConfig: true },
    languageOptions: { ecmaVersion: 5, sourceType: 'script', globals: readonly([...declared, ...MIRTH]) },
    plugins: { library: { rules: { used, 'declared-once': declaredOnce } } },
    rules,
  },
  { files: [`${LIB}/*.js`], rules: { 'no-redeclare': ['error', { builtinGlobals: false }], 'library/used': 'error', 'library/declared-once': 'error' } },
  {
    // Mirth makes a function of each step.
    files: ['files/mirth/channels/*/*.js'],
    languageOptions: { parserOptions: { ecmaFeatures: { globalReturn: true } }, globals: { ...readonly(STEPS), msg: 'writable', responseStatus: 'writable', responseStatusMessage: 'writable' } },
  },
  {
    // The tests run in Rhino as well, beside the library, parts of which they replace.
    files: ['tests/javascript/*.js'],
    languageOptions: { ecmaVersion: 5, sourceType: 'script', globals: Object.fromEntries([...declared, ...MIRTH, ...TESTS].map((name) => [name, 'writable'])) },
    rules: { ...rules, 'no-global-assign': 'off', 'no-redeclare': ['error', { builtinGlobals: false }] },
  },
];
