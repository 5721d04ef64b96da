// @ts-check
/** scp and rsync, with a private sshd on a random port of 127.0.0.1 and keys made for the run. */
import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import { freePort, isInstalled, listening, LOOPBACK, once, start, whereIs } from '../measured.js';

/** @param {string} folder for keys and settings @returns {import('./tool.js').Tool} */
export function scp(folder) {
  const server = sshServer(path.join(folder, 'scp'));
  return {
    name: 'scp',
    ...missing('scp'),
    ...server,
    send: async (source, out) => async () => {
      const { flags, target } = server.client('-P');
      return { sender: await start(['scp', '-q', '-r', ...flags, source, `${target}:${out}/`]).ended };
    },
  };
}

/** @param {string} folder for keys and settings @returns {import('./tool.js').Tool} */
export function rsync(folder) {
  const server = sshServer(path.join(folder, 'rsync'));
  return {
    name: 'rsync over ssh',
    ...missing('rsync'),
    ...server,
    send: async (source, out) => async () => {
      const { flags, target } = server.client('-p');
      const shell = ['ssh', ...flags].join(' ');
      return { sender: await start(['rsync', '-a', '-e', shell, source, `${target}:${out}/`]).ended };
    },
  };
}

/** @param {string} program */
function missing(program) {
  if (whereIs('sshd') === undefined) return { missing: 'install OpenSSH with its server (openssh-server)' };
  return isInstalled(program) ? {} : { missing: `install ${program}` };
}

/** @param {string} folder */
function sshServer(folder) {
  const key = path.join(folder, 'user_key');
  const hostKey = path.join(folder, 'host_key');
  let port = 0;
  /** @type {import('../measured.js').Running | undefined} */
  let server;
  return {
    start: once(async () => {
      await mkdir(folder, { recursive: true });
      // Where root starts it, sshd wants this folder to be there.
      if (userInfo().uid === 0) await mkdir('/run/sshd', { recursive: true });
      for (const file of [key, hostKey])
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
      port = await freePort();
      const settings = {
        Port: port,
        ListenAddress: LOOPBACK,
        HostKey: hostKey,
        AuthorizedKeysFile: `${key}.pub`,
        PidFile: path.join(folder, 'sshd.pid'),
        PasswordAuthentication: 'no',
        PermitRootLogin: 'prohibit-password',
        StrictModes: 'no',
        UsePAM: 'no',
        Subsystem: 'sftp internal-sftp',
      };
      const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}\n`);
      await writeFile(path.join(folder, 'sshd_config'), lines.join(''));
      server = start([whereIs('sshd') ?? '', '-D', '-e', '-f', path.join(folder, 'sshd_config')]);
      await listening(port, server);
    }),
    stop: () => server?.stop(),
    /** What ssh and its relatives are told. @param {'-p' | '-P'} portFlag */
    client(portFlag) {
      const options = [
        'StrictHostKeyChecking=no',
        `UserKnownHostsFile=${path.join(folder, 'known')}`,
        'LogLevel=ERROR',
        'IdentitiesOnly=yes',
      ];
      return {
        flags: [
          ...['-F', 'none', portFlag, String(port), '-i', key],
          ...options.flatMap((each) => ['-o', each]),
        ],
        target: `${userInfo().username}@${LOOPBACK}`,
      };
    },
  };
}
