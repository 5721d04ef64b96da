import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

const src = path.resolve(import.meta.dirname, '../../../src');

/** The files that a file needs when it is loaded; types are gone by then. */
function importsOf(file: string): string[] {
  const { statements } = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ESNext);
  return statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const { moduleSpecifier } = statement;
    if (moduleSpecifier === undefined || !ts.isStringLiteral(moduleSpecifier) || isTypeOnly(statement))
      return [];
    if (!moduleSpecifier.text.startsWith('.')) return [];
    return [path.resolve(path.dirname(file), moduleSpecifier.text.replace(/\.js$/, '.ts'))];
  });
}

function isTypeOnly(statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(statement)) return statement.isTypeOnly;
  return statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** Every cycle that a walk from `file` meets, as a chain of files. */
function cyclesFrom(file: string, chain: readonly string[], done: Set<string>): string[] {
  if (chain.includes(file)) return [[...chain.slice(chain.indexOf(file)), file].join(' > ')];
  if (done.has(file)) return [];
  const found = importsOf(file).flatMap((next) => cyclesFrom(next, [...chain, file], done));
  done.add(file);
  return found;
}

it('no file of src/ needs itself', () => {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const done = new Set<string>();
  expect(files.length).toBeGreaterThan(10);
  expect(files.flatMap((name) => cyclesFrom(path.join(src, name), [], done))).toEqual([]);
});
