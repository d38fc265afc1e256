// Makes a bare machine ready for the command that npm runs, and is done at once where everything is there.
// Plain JavaScript without packages: it runs before there are any, on whatever Node.js the machine has.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The S3 server that the tests speak to. With --gateway this file asks for no other program. */
const gateway = [
  { name: 'radosgw', present: () => onPath('radosgw') },
  { name: 'ceph-mon', present: () => onPath('ceph-mon') && onPath('monmaptool') },
  { name: 'ceph-osd', present: () => onPath('ceph-osd') },
  { name: 'ceph-common', present: () => onPath('ceph') && onPath('radosgw-admin') },
]

/** Programs that are not npm packages: the Debian package, and how to see that it is there. */
const programs = [
  { name: 'ffmpeg', present: () => onPath('ffmpeg') && onPath('ffprobe') },
  { name: 'chromium', present: () => onPath('chromium') },
  { name: 'postgresql', present: hasPostgres },
  { name: 'libvips-tools', present: () => onPath('vipsthumbnail') },
  { name: 'bubblewrap', present: () => onPath('bwrap') },
  { name: 'libimage-exiftool-perl', present: () => onPath('exiftool') },
  { name: 'libheif-examples', present: () => onPath('heif-enc') },
  { name: 'clamav-daemon', present: () => onPath('clamd') },
  ...gateway,
]

/** What a command can do without. The demo runs on an embedded database and needs packages only. */
const needsNoPrograms = ['start', 'setup', 'check', 'test:quick', 'build', 'docs', 'one-file']

if (!packagesMatchLock()) {
  console.log('Installing packages (npm ci) …')
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed; its words are above.')
}

const missing = wantedPrograms().filter(({ present }) => !present())
if (missing.length > 0) installPrograms(missing.map(({ name }) => name))

function wantedPrograms() {
  if (process.argv.includes('--gateway')) return gateway
  return needsNoPrograms.includes(process.env.npm_lifecycle_event ?? '') ? [] : programs
}

function packagesMatchLock() {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
    const installed = JSON.parse(readFileSync(join(root, 'node_modules/.package-lock.json'), 'utf8')).packages
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || installed[path]?.version === version || (optional && !installed[path]),
    )
  } catch {
    return false
  }
}

function installPrograms(names) {
  const command = `apt-get install -y --no-install-recommends ${names.join(' ')}`
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.log(`Not installed: ${names.join(', ')}. What needs them is left out; install with: sudo ${command}`)
    return
  }
  console.log(`Installing ${names.join(', ')} (apt-get) …`)
  run('apt-get', ['update', '-qq'], 'apt-get update failed; its words are above.')
  run('apt-get', command.split(' ').slice(1).concat('-qq'), `${command} failed; its words are above.`)
}

/** Runs a command, with its output shown only when it fails. Without our own packages on the path: npm ci replaces those. */
function run(command, args, complaint) {
  const PATH = searchPath().join(delimiter)
  const env = { ...process.env, PATH, DEBIAN_FRONTEND: 'noninteractive' }
  const result = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}\n${result.error?.message ?? ''}\n${complaint}\n`)
  process.exit(1)
}

function onPath(program) {
  return searchPath().some((folder) => existsSync(join(folder, program)))
}

function searchPath() {
  return (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '' && !folder.includes('node_modules'))
}

function hasPostgres() {
  const versions = '/usr/lib/postgresql'
  return existsSync(versions) && readdirSync(versions).some((version) => existsSync(join(versions, version, 'bin/initdb')))
}
