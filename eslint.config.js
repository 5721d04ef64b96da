// @ts-check
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import xfer from './scripts/lint/layers.js';

const noExit = {
  object: 'process',
  property: 'exit',
  message: 'Only src/cli/main.ts ends the process; elsewhere throw, or set process.exitCode.',
};

const noTimeoutSignal = {
  object: 'AbortSignal',
  property: 'timeout',
  message: 'Inside AbortSignal.any it can be garbage collected, and never aborts; use deadline().',
};

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'reports/', '.stryker-tmp/']),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-properties': ['error', noExit],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // `env['NAME']` marks a name that TypeScript does not know.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // The assertion it asks for is the one that strict forbids.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // `async` on a function that does not wait turns its throws into rejections, as its interface says.
      '@typescript-eslint/require-await': 'off',
      // A class with only static members or none is rare here, and then on purpose (a tagged type).
      '@typescript-eslint/no-extraneous-class': 'off',
      // Empty functions are what a callback that has nothing to do looks like.
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: ['src/**'],
    plugins: { xfer },
    rules: { 'xfer/layers': 'error', 'no-restricted-properties': ['error', noExit, noTimeoutSignal] },
  },
  {
    files: ['src/cli/main.ts'],
    rules: { 'no-restricted-properties': ['error', noTimeoutSignal] },
  },
  {
    files: ['test/**'],
    rules: {
      // A test knows its own data; where it errs, it fails.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    // tsc checks these by their JSDoc; casting what Node's events and streams carry would say nothing more.
    files: ['**/*.js'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    // Programs of their own that talk to whoever runs them.
    files: ['scripts/**', 'bench/**', 'examples/**', 'fuzz/**', 'mutation/**'],
    rules: { 'no-console': 'off' },
  },
);
