import { createRindle } from '../../src/index.ts'
import { memory } from '../../src/adapters/storage/memory.ts'
import { s3 } from '../../src/adapters/storage/s3.ts'
import { clamav } from '../../src/adapters/scanners/clamav.ts'
import { defineProfile } from '../../src/core/profile-definition.ts'
import type { Canaries } from './canaries.ts'

/** Apps that are set up wrongly, with secrets in what is wrong. Each must be refused without saying them. */
export const misfits = (canaries: Canaries): readonly (() => Promise<unknown>)[] => {
  const plant = (name: string) => canaries.plant(name)
  const storage = memory()
  const profiles = { paper: defineProfile({ kind: 'file', storage, allowMime: ['text/plain'], maxBytes: 1000 }) }
  const secrets = [`${plant('a secret of an app set up wrongly')} long enough`]
  const opened = async (database: string | object): Promise<never> => {
    const rindle = createRindle({ profiles, secrets, database })
    try {
      await rindle.ready()
      throw new Error('it was opened')
    } finally {
      await rindle.close()
    }
  }
  const keys = (name: string) => ({
    accessKeyId: plant(`${name} key id`),
    secretAccessKey: plant(`${name} key`),
    sessionToken: plant(`${name} token`),
  })
  return [
    () => opened(`postgres://postgres:${plant('a password of a server that is down')}@127.0.0.1:1/none`),
    () =>
      opened({
        url: `postgres://postgres:${plant('a password')}@127.0.0.1:1/none`,
        directUrl: `postgres://p:${plant('a direct password')}@127.0.0.1:1/none`,
      }),
    () => opened(`postgres://postgres:${plant('a password in an address that is none')}#@@:x/none`),
    () => opened(`postgres://postgres:${plant('a password without a host')}@/none?host=/nowhere`),
    async () =>
      createRindle({
        profiles,
        secrets: [plant('a short secret').slice(0, 30), 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'],
        database: 'postgres://x/y',
      }),
    async () => createRindle({ profiles, secrets: [{ key: plant('a secret that is no text') }] as never, database: 'postgres://x/y' }),
    async () => createRindle({ profiles, secrets, database: { password: plant('a password in what is no database') } }),
    async () => s3({ bucket: 'not a bucket', region: '', credentials: keys('a bucket that cannot be') }),
    async () =>
      s3({
        bucket: 'bucket',
        region: 'eu-central-1',
        endpoint: `https://user:${plant('a password in an endpoint')}@host/`,
        credentials: keys('an endpoint'),
      }),
    async () => clamav({ host: '', password: plant('what clamav does not take') } as never),
    () => unreachable(keys('a server that is down')).head('sealed/a/b'),
    () => unreachable(async () => Promise.reject(new Error(`no keys for you: the vault is sealed`))).head('sealed/a/b'),
    async () => {
      for await (const _ of unreachable(keys('a list that fails')).list('sealed/')) return
    },
    () =>
      unreachable(keys('a body that fails')).put('sealed/a/b', new Blob([plant('the bytes of a file')]).stream(), {
        contentType: 'text/plain',
      }),
  ]
}

const unreachable = (credentials: Parameters<typeof s3>[0]['credentials']) =>
  s3({ bucket: 'bucket', region: 'us-east-1', endpoint: 'http://127.0.0.1:1', ...(credentials ? { credentials } : {}) })
