// The programs the tests run against; they end with the tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Gate } from './gate.js';

/** The root of the repository, seen from the compiled tests. */
export const root = fileURLToPath(new URL('../../../../../', import.meta.url));

/** A program that scripts/test-build.mjs has built. */
const program = (name: string): string => join(root, 'sdk', 'typescript', 'dist-test', 'bin', name);

/** Waits for the line of a program's output that matches. */
export async function lineOf(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
  const seen: string[] = [];
  const lines = createInterface({ input: child[stream] as NodeJS.ReadableStream });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      seen.push(line);
      const match = pattern.exec(line);
      if (match) resolve(match[1] ?? line);
    });
    child.on('error', reject);
    // Not at 'exit': its last lines may still be on their way then.
    child.on('close', (code) => reject(new Error(`the program ended with ${code}:\n${seen.join('\n')}`)));
  });
}

/** Starts the misbehaving server; `stop` ends it. */
export async function startMisbehaving(): Promise<{ url: string; stop: () => void }> {
  const child = spawn(program('sdktest'), ['-until-eof'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await lineOf(child, 'stdout', /^(http:.*)$/);
  return { url, stop: () => child.stdin.end() };
}

/** A Nimbus with a database of its own, at one address however often it is started. */
export class Nimbus {
  private child: ChildProcess | undefined;
  private readonly dir = mkdtempSync(join(tmpdir(), 'nimbus-ts-'));
  private gate: Gate | undefined;

  get url(): string {
    return this.gate?.url ?? '';
  }

  async start(): Promise<void> {
    this.gate ??= await Gate.open();
    chmodSync(this.dir, 0o755); // PostgreSQL runs as another account under root
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NIMBUS_') || name === 'NIMBUS_POSTGRES_BIN')),
      NIMBUS_ADDR: '127.0.0.1:0',
      NIMBUS_ADMIN_ADDR: 'off',
      NIMBUS_BCRYPT_COST: '4',
      NIMBUS_RATE_LIMIT_ENABLED: 'false', // every test registers, from one address
      NIMBUS_DATA_DIR: join(this.dir, 'data'),
    };
    const child = spawn(program('nimbus'), ['serve'], { cwd: this.dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    this.gate.behind = Number(await lineOf(child, 'stderr', /msg=ready url=\S+:(\d+)/));
  }

  /** Ends it: in order, or at once. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const over = new Promise((resolve) => child.once('exit', resolve));
    if (this.gate) this.gate.behind = 0;
    child.kill(signal);
    await over;
  }

  async remove(): Promise<void> {
    await this.stop();
    this.gate?.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
