import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "build/",
      "kernel-ext/kernel/cell-library/",
      "node_modules/",
      "src/kernels/wasm/assembly/",
      "bench/assembly/",
      ".venv/",
      ".infinity/",
      "**/*.js",
      "**/*.cjs",
      "**/.stubs/",
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // With noUncheckedIndexedAccess, `x[i]!` is how a loop says that its bound was checked.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportDefaultDeclaration", message: "Export by name: one name everywhere." },
      ],
    },
  },
  {
    // A stub names the parameters that its answer will use.
    files: ["**/exercises/**/*.ts"],
    rules: { "@typescript-eslint/no-unused-vars": ["error", { args: "none" }] },
  },
  {
    // Mocha binds its context to `this`, and chai's assertions are expressions.
    files: ["**/*.test.ts"],
    rules: { "@typescript-eslint/no-unused-expressions": "off" },
  },
);
