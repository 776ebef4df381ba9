import tseslint from "typescript-eslint";

export default tseslint.config(
  // Compiled or generated; the generated ones are checked by the compiler and for freshness.
  { ignores: ["lib/", "src/api/generated.ts", "**/*.generated.ts"] },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      // node:test gives promises that it awaits itself.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["test"], package: "node:test" }] },
      ],
    },
  },
  {
    // What decides stays free of who shows: the same code serves every face, and runs in Node.
    files: ["src/api/**/*.ts", "src/conversation/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ regex: "^(@jupyterlab|react|@lumino/(?!signaling))" }] },
      ],
    },
  },
  {
    files: ["src/conversation/**/*.ts"],
    ignores: ["src/conversation/{catalog,drafts,manager,model,uploads}.ts"], // these have signals
    rules: {
      "no-restricted-imports": ["error", { patterns: [{ regex: "^(@jupyterlab|react|@lumino)" }] }],
    },
  },
  {
    files: ["src/**/*.{ts,tsx}"],
    ignores: ["src/api/**", "src/conversation/redaction.ts"], // the latter wants patterns, not types
    rules: {
      "no-restricted-syntax": [
        "error",
        {
          selector: "ImportDeclaration[source.value=/generated/]",
          message: "The generated types are reached through api/client.",
        },
      ],
    },
  },
);
