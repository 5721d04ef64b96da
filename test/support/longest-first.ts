import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What waits longest for other programs, or for the clock: begun last, one of them would end alone. */
const LONGEST = [
  'e2e/reach',
  'e2e/proxy-failures',
  'e2e/silence',
  'e2e/resume',
  'e2e/devices',
  'e2e/reach-failures',
  'e2e/failures',
  'e2e/reconnect',
  'net/peer/meeting',
  'e2e/doctor',
  'e2e/lan',
  'e2e/crowd',
  'e2e/attacks',
  'e2e/proxy',
  'e2e/speed',
  'e2e/output',
];
const PROJECTS = ['e2e', 'net', 'unit'];

/** Begins with the files that take longest: those named above, then the tests of the program, then others. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ moduleId, project }: TestSpecification): number {
  const place = LONGEST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place >= 0 ? place : LONGEST.length + PROJECTS.indexOf(project.name);
}
