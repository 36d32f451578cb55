// The programs the tests run against, built from the sources and ended with the tests.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The root of the repository, seen from the compiled tests. */
export const root = fileURLToPath(new URL('../../../../../', import.meta.url));

/** Builds a command of the repository; the Go build cache makes the second time quick. */
export function build(what: string, name: string): string {
  const out = join(root, 'build', name);
  mkdirSync(join(root, 'build'), { recursive: true });
  execFileSync('go', ['build', '-o', out, what], { cwd: root, env: { ...process.env, CGO_ENABLED: '0' }, stdio: ['ignore', 'inherit', 'inherit'] });
  return out;
}

/** Waits for the line of a program's output that matches. */
async function lineOf(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<string> {
  const seen: string[] = [];
  const lines = createInterface({ input: child[stream] as NodeJS.ReadableStream });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      seen.push(line);
      const match = pattern.exec(line);
      if (match) resolve(match[1] ?? line);
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`the program ended with ${code}:\n${seen.join('\n')}`)));
  });
}

/** Starts the misbehaving server; `stop` ends it. */
export async function startMisbehaving(): Promise<{ url: string; stop: () => void }> {
  const child = spawn(build('./internal/sdktest/cmd', `sdktest-${process.pid}`), ['-until-eof'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const url = await lineOf(child, 'stdout', /^(http:.*)$/);
  return {
    url,
    stop: () => {
      child.stdin.end();
      rmSync(child.spawnfile, { force: true });
    },
  };
}

/** A Nimbus with a database of its own. */
export class Nimbus {
  private child: ChildProcess | undefined;
  private readonly dir = mkdtempSync(join(tmpdir(), 'nimbus-ts-'));
  private readonly binary = build('./cmd/nimbus', `nimbus-${process.pid}`);
  private port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    chmodSync(this.dir, 0o755); // PostgreSQL runs as another account under root
    const env = {
      ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('NIMBUS_') || name === 'NIMBUS_POSTGRES_BIN')),
      NIMBUS_ADDR: `127.0.0.1:${this.port}`,
      NIMBUS_ADMIN_ADDR: 'off',
      NIMBUS_BCRYPT_COST: '4',
      NIMBUS_DATA_DIR: join(this.dir, 'data'),
    };
    const child = spawn(this.binary, ['serve'], { cwd: this.dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    this.port = Number(await lineOf(child, 'stderr', /127\.0\.0\.1:(\d+)/));
  }

  /** Ends it: in order, or at once. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const over = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await over;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.binary, { force: true });
  }
}
