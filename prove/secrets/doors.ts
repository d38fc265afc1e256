import { chosenEngine } from '../database.ts'
import { openHouse, origin, png, send } from '../../test/journeys/fixtures/house.ts'
import { rowReader } from '../rows.ts'
import type { Canaries } from './canaries.ts'
import type { Ears } from './ears.ts'

/** Knocks at our own door with tickets, cookies and tokens, rightly and wrongly. @returns how many requests were made. */
export const knockAtDoors = async (canaries: Canaries, ears: Ears): Promise<number> => {
  const house = await openHouse(chosenEngine())
  const rows = await rowReader(house.database, ['rindle', 'rindle_queue'])
  const open = house.door()
  const closed = house.door({ authorize: () => false })
  const ill = house.door({
    identify: () => {
      throw new RangeError('nobody knows who this is')
    },
  })
  let requests = 0
  const knock = async (door: typeof open, method: string, url: string, options: Parameters<typeof send>[2] = {}): Promise<void> => {
    requests += 1
    const headers = {
      authorization: `Bearer ${canaries.plant('a bearer token')}`,
      cookie: `session=${canaries.plant('a cookie')}`,
      ...options.headers,
    }
    try {
      const answer = await door(send(method, url, { ...options, headers }))
      ears.read(
        `${JSON.stringify([...answer.headers])} ${Buffer.from(await answer.arrayBuffer()).toString('latin1')}`,
        'in an answer of the door',
      )
    } catch (err) {
      ears.hear(err)
    }
  }
  /** What a ticket's address ends with. */
  const hold = (name: string, url: string): string => {
    canaries.add(name, new URL(url, origin).pathname.split('/').at(-1) ?? '')
    return url
  }
  try {
    const bytes = await png()
    const wish = { filename: `${canaries.plant('a file name', 'told')}.png`, byteSize: bytes.byteLength }
    const session = await house.rindle.initiateUpload('photo', wish)
    const { presigned } = await house.rindle.signUpload(session.id)
    const put = hold('a ticket that writes', presigned.url)
    const { headers } = presigned
    await knock(open, 'PUT', put, { body: bytes, headers: { ...headers, 'content-type': 'text/html' } })
    await knock(open, 'PUT', put, { body: bytes.subarray(9), headers })
    await knock(open, 'PUT', `${put.slice(0, -4)}AAAA`, { body: bytes, headers })
    await knock(open, 'GET', put)
    await knock(open, 'PUT', put, { body: bytes, headers })
    await knock(open, 'PUT', put, { body: bytes, headers })
    for (const door of [open, closed, ill]) {
      await knock(door, 'POST', `/uploads?token=${canaries.plant('a secret in a query')}`, {
        body: `{"filename": ${canaries.plant('what is no JSON')}`,
      })
      await knock(door, 'POST', '/uploads', {
        body: { profile: 'photo', filename: 'a.png', byteSize: canaries.plant('a size that is none') },
      })
      await knock(door, 'POST', `/uploads/${session.id}/verify`, { body: {} })
      await knock(door, 'GET', `/assets/${session.assetId}`)
      await knock(door, 'GET', `/nothing/${canaries.plant('a path that leads nowhere')}`)
    }
    await house.promote(session.assetId)
    const get = hold(
      'a ticket that reads',
      await house.rindle.url(session.assetId, { actor: { token: canaries.plant('a token of who asks') } }),
    )
    await knock(open, 'GET', get, { headers: { range: 'bytes=0-3' } })
    await knock(open, 'PUT', get, { body: bytes })
    house.clock.advance(90_000)
    for (const url of [put, get]) await knock(open, 'GET', url)
    ears.read(house.logged.join('\n'), 'in the log of the door')
    ears.readRows(await rows())
    return requests
  } finally {
    await house.close()
  }
}
