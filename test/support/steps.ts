/** How much work code does, whatever machine it runs on. */
import { Session } from 'node:inspector/promises';
import { vi } from 'vitest';

/**
 * How often the pieces of a source file (functions, the bodies of loops, the branches) run in `work`, all together.
 * @param file The end of its path.
 * @param load Imports it. What was compiled before the counting began has no counters.
 */
export async function stepsIn<T>(
  file: string,
  load: () => Promise<T>,
  work: (module: T) => Promise<void>,
): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    vi.resetModules();
    const module = await load();
    // With this its counters are at zero.
    await session.post('Profiler.takePreciseCoverage');
    await work(module);
    const { result } = await session.post('Profiler.takePreciseCoverage');
    return result
      .filter(({ url }) => url.endsWith(file))
      .flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges))
      .reduce((sum, { count }) => sum + count, 0);
  } finally {
    await session.post('Profiler.stopPreciseCoverage');
    session.disconnect();
  }
}
