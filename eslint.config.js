// The rules that hold the front end's promises: text is never HTML, the XMPP side knows no view,
// files and functions stay small enough to read.
import tseslint from "typescript-eslint";

const html = ["innerHTML", "outerHTML"].map((name) => ({
  selector: `MemberExpression[property.name='${name}']`,
  message: "Text is never HTML: build nodes.",
}));

const noHTML = [
  ...html,
  {
    selector: "JSXAttribute[name.name='dangerouslySetInnerHTML'], Property[key.name='dangerouslySetInnerHTML']",
    message: "Text is never HTML: build nodes.",
  },
  {
    selector: "CallExpression[callee.property.name=/^(insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|writeln)$/]",
    message: "Text is never HTML: build nodes.",
  },
  {
    selector: "CallExpression[callee.object.name='document'][callee.property.name='write']",
    message: "Text is never HTML: build nodes.",
  },
];

export default tseslint.config(
  { ignores: ["static/dist/**", "bin/**", "test-results/**", "**/playwright-report/**"] },
  {
    files: ["**/*.ts", "**/*.tsx"],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true, skipComments: true }],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-console": "error",
      eqeqeq: ["error", "always"],
      "no-restricted-syntax": ["error", ...noHTML],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "off",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false } }],
    },
  },
  {
    // What admins copy: plain scripts of a browser.
    files: ["contrib/**/*.js"],
    languageOptions: { sourceType: "script", ecmaVersion: 2022 },
    rules: {
      "max-lines": ["error", { max: 400 }],
      "max-lines-per-function": ["error", { max: 200, skipBlankLines: true, skipComments: true }],
      "no-eval": "error",
      "no-console": "error",
      "no-unused-vars": "error",
      eqeqeq: ["error", "always"],
      "no-restricted-syntax": ["error", ...noHTML],
    },
  },
  {
    // The XMPP side and the state do not know that there is a page.
    files: ["webclient/panel/src/**/*.ts"],
    ignores: [
      "webclient/panel/src/views/**",
      "webclient/panel/src/launcher/**",
      "webclient/panel/src/callback.ts",
    ],
    rules: {
      "no-restricted-imports": ["error", {
        patterns: [{ group: ["preact", "preact/*", "**/views/**", "**/launcher/**"], message: "State and transport do not know the views." }],
      }],
    },
  },
  {
    // The actions are handed to views one by one; none of them uses "this".
    files: ["webclient/panel/src/views/**/*.tsx"],
    rules: { "@typescript-eslint/unbound-method": "off" },
  },
  {
    // A test is a story; it may be longer than a function should be, and it may poke at hostile markup.
    files: ["webclient/panel/test/**/*.ts", "webclient/panel/gallery/**/*.{ts,tsx}", "e2e/**/*.ts"],
    rules: {
      "max-lines-per-function": "off",
      "no-restricted-syntax": "off",
      "no-script-url": "off",
      "no-new-func": "off",
      "@typescript-eslint/no-implied-eval": "off",
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", package: "node:test", name: ["test", "it", "describe", "suite"] }] }],
    },
  },
);
