import { expect, test, vi } from 'vitest';

test('the names of peers are not looked up while the digest is loaded', async () => {
  const report: NodeJS.ProcessReport & { excludeNetwork?: boolean } = process.report;
  const before = report.excludeNetwork;
  let during: boolean | undefined;
  vi.doMock('@napi-rs/blake-hash', async (importOriginal) => {
    during = report.excludeNetwork;
    return importOriginal();
  });

  await import('../../../src/crypto/digest.js');

  expect(during).toBe(true);
  expect(report.excludeNetwork).toBe(before);
});
