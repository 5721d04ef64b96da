/** What the system says of a listener that listens already. */
import * as net from 'node:net';
import { expect, test, vi } from 'vitest';
import { Admission } from '../../../src/peer/admission.js';
import { listen } from '../../../src/peer/direct.js';

vi.mock('node:net', async (importOriginal) => {
  const original = await importOriginal<typeof net>();
  return { ...original, createServer: vi.fn(original.createServer) };
});

test('one whom the system could not hand over is lost, and the listener is not', async () => {
  const listener = await listen({ host: '127.0.0.1', port: 0 }, new Admission());
  const server = vi.mocked(net.createServer).mock.results[0]!.value as net.Server;
  const error = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' });
  expect(() => server.emit('error', error)).not.toThrow();
  expect(server.listening).toBe(true);
  listener.close();
});
