import { expect, test } from 'vitest';
import { XferError } from '../../src/errors.js';
import { expect as expectMessage, withinIntroduction } from '../../src/introduction.js';
import { MemoryChannel } from '../support/memory-channel.js';

test('who gives up was interrupted, also where the other side hears of it and is gone at once', async () => {
  const [mine] = MemoryChannel.pair();
  const interruption = new AbortController();
  const heard: unknown[] = [];
  mine.onSend = (item) => {
    heard.push(item);
    mine.destroy(new XferError('peer-gone'));
    return undefined;
  };
  const talk = withinIntroduction(mine, interruption.signal, () => expectMessage(mine, 'session'));
  interruption.abort();
  await expect(talk).rejects.toMatchObject({ code: 'interrupted' });
  expect(heard).toEqual([{ type: 'error', code: 'interrupted' }]);
});
