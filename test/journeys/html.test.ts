import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { isRindleError } from '../../src/index.ts'
import { engines } from '../services/engines.ts'
import { type House, openHouse, png, send, tiff } from './fixtures/house.ts'

for (const engine of engines) {
  describe(`pictures in pages, on ${engine.name}`, { skip: engine.skip }, () => {
    let house: House
    let bytes: Buffer<ArrayBuffer>

    before(async () => {
      house = await openHouse(engine)
      bytes = await png(640, 480)
    })
    after(() => house.close())

    const upload = (source: Buffer = bytes, filename = 'a.png') => house.rindle.upload('photo', source, { filename })
    const passed = async (source: Buffer = bytes, filename = 'a.png') => {
      const asset = await upload(source, filename)
      await house.promote(asset.id)
      return asset
    }
    const owner = (id: number) => ({ type: 'User', id })
    /** Addresses replaced by what they lead to. */
    const looked = async (html: string) => {
      const addresses = [...new Set(html.match(/https:[^"\s]+/g) ?? [])]
      for (const address of addresses) {
        const response = await house.door()(send('HEAD', address))
        const name = /filename="([^"]+)"/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? String(response.status)
        html = html.replaceAll(address, name)
      }
      return html.replace(/data:image\/png;base64,[A-Za-z0-9+/=]+/, 'COLOURS')
    }

    it('are written with real sizes, types and files for each condition', async () => {
      const asset = await passed()
      await house.rindle.attach(asset, owner(1), 'photo', { alt: 'Me & "you"' })
      const html = await house.rindle.pictureTag(await house.rindle.attachmentFor(owner(1), 'photo'), {
        variants: [['thumb', '(max-width: 480px)'], 'large'],
        attributes: { class: 'round', loading: 'lazy' },
      })
      assert.equal(
        await looked(html),
        '<picture><source media="(max-width: 480px)" type="image/webp" width="32" height="32" srcset="a-thumb.webp">' +
          '<img alt="Me &amp; &quot;you&quot;" class="round" loading="lazy" style="background:url(COLOURS) center/cover no-repeat" width="200" height="150" src="a-large.jpg"></picture>',
      )
    })

    it('take an asset or its id as well, other words, and no blur', async () => {
      const asset = await passed()
      const html = await house.rindle.pictureTag(asset, { variants: ['large'], alt: '<script>', blur: false })
      assert.equal(await looked(html), '<picture><img alt="&lt;script&gt;" width="200" height="150" src="a-large.jpg"></picture>')
      assert.equal(
        await looked(await house.rindle.pictureTag({ id: asset.id }, { variants: ['large'], alt: '<script>', blur: false })),
        await looked(html),
      )
    })

    it('show the original while variants are missing, and nothing that browsers cannot draw', async () => {
      const asset = await passed()
      await house.database.query(`update rindle.media_variants set state = 'failed', object_id = null where asset_id = '${asset.id}'`)
      assert.equal(
        await looked(await house.rindle.pictureTag(asset, { variants: ['large'], blur: false })),
        '<picture><img alt="" width="640" height="480" src="a.png"></picture>',
      )
      const scan = await passed(await tiff(), 'a.tiff')
      await house.database.query(`update rindle.media_variants set state = 'failed', object_id = null where asset_id = '${scan.id}'`)
      assert.equal(await house.rindle.pictureTag(scan), '')
    })

    it('go on showing what stood there until the new file has passed', async () => {
      const [first, second] = [await passed(bytes, 'first.png'), await upload(bytes, 'second.png')]
      await house.rindle.attach(first, owner(2), 'photo')
      await house.rindle.attach(second, owner(2), 'photo')
      const tag = async () =>
        looked(await house.rindle.pictureTag(await house.rindle.attachmentFor(owner(2), 'photo'), { variants: ['large'], blur: false }))
      assert.match(await tag(), /src="first-large\.jpg"/)
      await house.promote(second.id)
      assert.match(await tag(), /src="second-large\.jpg"/)
      await house.settle(second.id)
      assert.match(await tag(), /src="second-large\.jpg"/)
    })

    it('show the placeholder, or nothing, where there is nothing to show', async () => {
      const [waiting, refused] = [await upload(), await passed(Buffer.from('no picture'))]
      for (const subject of [null, waiting, refused, { id: '01a20459-5065-7573-89b6-6c1798020b97' }]) {
        assert.equal(await house.rindle.pictureTag(subject), '')
        assert.equal(
          await house.rindle.pictureTag(subject, { placeholder: '/no"one.svg', alt: 'Nobody' }),
          '<picture><img alt="Nobody" src="/no&quot;one.svg"></picture>',
        )
      }
      await house.rindle.attach(waiting, owner(3), 'photo')
      assert.equal(await house.rindle.pictureTag(await house.rindle.attachmentFor(owner(3), 'photo')), '')
    })

    it('show nothing to those whom the authorizer refuses', async () => {
      const asset = await house.rindle.upload('kept', bytes, { filename: 'a.png' })
      await house.promote(asset.id)
      assert.equal(await house.rindle.pictureTag(asset, { actor: 'stranger' }), '')
      assert.match(await house.rindle.pictureTag(asset, { actor: 'friend' }), /<img/)
    })

    it('refuse variants that there are not and attributes that would do harm', async () => {
      const asset = await passed()
      const tag = (options: object) => Reflect.apply(house.rindle.pictureTag, house.rindle, [asset, options])
      const code = (expected: string) => (err: unknown) => isRindleError(err) && err.code === expected
      await assert.rejects(tag({ variants: ['huge'] }), code('variant_unknown'))
      await assert.rejects(tag({ attributes: { onload: 'alert(1)' } }), code('argument_invalid'))
      await assert.rejects(tag({ attributes: { src: 'x' } }), code('argument_invalid'))
    })
  })
}
