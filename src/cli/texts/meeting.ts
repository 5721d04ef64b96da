/** Two machines do not meet. */
import type { ErrorCode } from '../../index.js';
import type { Text } from './text.js';

/** From five words on the topic cannot be known without them. */
const OUT_OF_THE_CROWD =
  'start again with a longer code: strangers do not find one that was made with --words 5, and cannot be in the way';

export const MEETING = {
  'no-network': {
    sentence: ({ subject }) =>
      subject === ''
        ? 'the network cannot be reached'
        : 'nothing answers over UDP, which this network may not let through',
    advice: ({ subject }) =>
      subject === ''
        ? 'check the connection; in one local network use --listen on one side and --connect on the other, which need no internet'
        : 'TCP may get through: use --listen on the side that can be reached from the other, and there --connect HOST:PORT',
    exitCode: 3,
  },
  'no-peer': {
    sentence: ({ subject, detail }) => {
      if (detail === 'crowd')
        return 'many others answer under the number of this code, and none of them knows it';
      return subject ? `the device '${subject}' was not found` : 'nobody was found under this code';
    },
    advice: ({ subject, detail, there }) => {
      if (detail === 'crowd') return OUT_OF_THE_CROWD;
      return subject
        ? `see whether ${there || 'xfer'} runs there; where it listens at an address, name that with --addr or xfer devices address`
        : 'ask whether the other side still shows it and waits, then try again';
    },
    exitCode: 3,
  },
  'peer-unreachable': {
    sentence: ({ subject }) => `no connection to ${subject || 'the other side'} came about`,
    advice: 'if one of you can be reached from outside, use --listen there and --connect on the other side',
    exitCode: 3,
  },
  'proxy-unreachable': {
    sentence: ({ subject, detail }) => {
      const proxy = `the proxy${subject ? ` ${subject}` : ''}`;
      return detail === 'speech'
        ? `${proxy} does not answer as a proxy of its kind`
        : `${proxy} cannot be reached`;
    },
    advice:
      'compare HTTPS_PROXY and ALL_PROXY with what your network wants: http://, https:// or socks5://; NO_PROXY names what needs none',
    exitCode: 3,
  },
  'proxy-refused': {
    sentence: ({ subject, detail }) =>
      `the proxy${subject ? ` ${subject}` : ''} refuses to connect to ${detail || 'the other side'}`,
    advice:
      'many proxies let nothing but port 443 through: --listen 443 on the other side may do; NO_PROXY names what needs no proxy',
    exitCode: 3,
  },
  'proxy-login': {
    sentence: ({ subject, detail }) => {
      const proxy = `the proxy${subject ? ` ${subject}` : ''}`;
      return detail === 'wrong'
        ? `${proxy} does not accept this user and password`
        : `${proxy} wants a user and a password`;
    },
    advice:
      'put them into HTTPS_PROXY or ALL_PROXY, as in http://user:password@host:port; what is no letter or digit in them as %XX',
    exitCode: 2,
  },
  'port-in-use': {
    sentence: ({ subject }) => `something else listens on ${subject || 'this port'}`,
    advice: 'choose another one, with --listen or --port, or end what uses it',
    exitCode: 2,
  },
  'code-expired': {
    sentence: 'the code has expired',
    advice: 'start again for a new code; --expire 2h makes it last longer',
    exitCode: 4,
  },
  'code-used': {
    sentence: 'the code is used up',
    advice: 'a code works once: ask for a new one, and ask who used this one if it was not you',
    exitCode: 4,
  },
  'code-dead': {
    sentence: ({ detail }) =>
      detail === 'crowd'
        ? 'the code is dead: too many others answer under its number'
        : 'the code is dead: it was guessed wrong too often',
    advice: ({ detail }) =>
      detail === 'crowd'
        ? OUT_OF_THE_CROWD
        : 'start again for a new code; if nobody mistyped it, somebody was guessing, and does not find a code made with --words 5',
    exitCode: 4,
  },
  'wrong-code': {
    sentence: 'the code is wrong',
    advice:
      'compare it, word for word, with what the other side shows; if it is the same, the line broke just now: start again',
    exitCode: 4,
  },
  'version-unsupported': {
    sentence: 'the other side has a version of xfer that this one does not understand',
    advice: 'update the older one; xfer --version shows which',
    exitCode: 1,
  },
  'role-conflict': {
    sentence: 'what one side wants to do does not go with what the other one does',
    advice: ({ there }) =>
      there ? `the other machine has to run ${there}` : 'one side sends, the other one receives',
    exitCode: 2,
  },
  'not-verified': {
    sentence: 'the words were not confirmed on both sides, so nothing was transferred',
    advice:
      'if they were different, somebody may be in between: start again over another way of telling the code',
    exitCode: 4,
    brief: 'the words were not confirmed',
  },
} satisfies Partial<Record<ErrorCode, Text>>;
