/** Starts the program that is under test, and waits until it says that it is ready. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Gate } from '../../sdk/typescript/test/support/gate';

export interface Server {
  url: string;
  stop: () => Promise<void>;
}

/** With a gate it is found at the gate's address, as every one that is started after it. */
export function start(binary: string, dataDir: string, gate?: Gate): Promise<Server> {
  const child: ChildProcess = spawn(binary, ['serve'], {
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NIMBUS_POSTGRES_BIN: process.env['NIMBUS_POSTGRES_BIN'] ?? '',
      NIMBUS_ADDR: '127.0.0.1:0',
      NIMBUS_ADMIN_ADDR: 'off',
      NIMBUS_DATA_DIR: dataDir,
      NIMBUS_BCRYPT_COST: '4',
      NIMBUS_MAX_PROJECTS_PER_ACCOUNT: '300', // the list of projects has pages of 100, and a test wants three
      NIMBUS_RATE_LIMIT_ENABLED: 'false', // every test registers, from one address
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    if (gate) gate.behind = 0;
    child.kill('SIGTERM');
    await ended;
  };
  return new Promise((resolve, reject) => {
    let log = '';
    child.once('exit', (code) => reject(new Error(`nimbus ended with ${code}:\n${log}`)));
    child.stderr!.on('data', (bytes: Buffer) => {
      log += bytes.toString();
      const ready = /msg=ready url=(\S+)/.exec(log);
      if (!ready) return;
      if (gate) gate.behind = Number(new URL(ready[1]!).port);
      resolve({ url: gate?.url ?? ready[1]!, stop });
    });
  });
}
