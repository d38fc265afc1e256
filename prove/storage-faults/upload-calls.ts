import { type Call, freshKey, inParts, landed, send, stateOf, unless } from './call.ts'

const upload: Call = {
  name: 'upload',
  needs: ['put'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const attempt = () => lane.rindle.upload('photo', bytes, { filename: 'a.png' })
    return {
      attempt,
      async left() {
        const { n } = await lane.one("select count(*)::int as n from rindle.media_upload_sessions where state = 'uploading'")
        return unless(n === 0, 'a session is still open')
      },
      again: async () => unless((await attempt()).state === 'validating', 'the asset does not wait for the gate'),
    }
  },
}

const verifyCompletion: Call = {
  name: 'verifyCompletion',
  needs: ['head'],
  async prepare(lane) {
    const { sessionId } = await landed(lane)
    const attempt = () => lane.rindle.verifyCompletion(sessionId)
    return {
      attempt,
      left: async () => unless((await stateOf(lane, 'media_upload_sessions', sessionId)) === 'signed', 'the session is not open any more'),
      again: async () => unless((await attempt()).session.state === 'completed', 'the session is not completed'),
    }
  },
}

const initiateMultipartUpload: Call = {
  name: 'initiateMultipartUpload',
  needs: ['create'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const idempotencyKey = `key ${lane.random.int(2 ** 31)}`
    const owner = { type: 'User', id: 7 }
    const attempt = () => lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length, owner, idempotencyKey })
    const opened = () => lane.one('select id from rindle.media_upload_sessions where idempotency_key = $1', idempotencyKey)
    let first: unknown
    return {
      attempt,
      async left() {
        first = (await opened())['id']
        return unless(typeof first === 'string', 'no session waits for the call to be repeated')
      },
      async again() {
        const { session } = await attempt()
        if (first !== undefined && session.id !== first) return 'another session was opened'
        const { presigned } = await lane.rindle.signMultipartPart(session.id, 1)
        await send(presigned, bytes)
        return unless((await lane.rindle.completeMultipartUpload(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

const signMultipartPart: Call = {
  name: 'signMultipartPart',
  needs: ['create', 'sign'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const { session } = await lane.rindle.initiateMultipartUpload('photo', { filename: 'a.png', byteSize: bytes.length })
    // As after a crash between the beginning in storage and its record.
    await lane.database.query('update rindle.media_objects set upload_id = null where session_id = $1', [session.id])
    const attempt = () => lane.rindle.signMultipartPart(session.id, 1)
    return {
      attempt,
      async again() {
        await send((await attempt()).presigned, bytes)
        return unless((await lane.rindle.completeMultipartUpload(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

const completing = (name: 'completeMultipartUpload' | 'verifyCompletion'): Call => ({
  name: name === 'verifyCompletion' ? 'verifyCompletion of parts' : name,
  needs: ['list-parts', 'complete', 'head'],
  async prepare(lane) {
    const sessionId = await inParts(lane)
    const attempt = () => lane.rindle[name](sessionId)
    return {
      attempt,
      left: async () => unless((await stateOf(lane, 'media_upload_sessions', sessionId)) === 'signed', 'the session is not open any more'),
      again: async () => unless((await attempt()).session.state === 'completed', 'the session is not completed'),
    }
  },
})

const signing: Call = {
  name: 'signUpload, presignedPut',
  needs: ['sign'],
  async prepare(lane) {
    const bytes = await lane.picture()
    const session = await lane.rindle.initiateUpload('photo', { filename: 'a.png', byteSize: bytes.length })
    const key = freshKey()
    const attempt = async () => {
      const put = await lane.rindle.presignedPut('photo', key, 60, { byteSize: bytes.length })
      const { presigned } = await lane.rindle.signUpload(session.id)
      return [put, presigned] as const
    }
    return {
      attempt,
      async again() {
        for (const ticket of await attempt()) await send(ticket, bytes)
        return unless((await lane.rindle.verifyCompletion(session.id)).session.state === 'completed', 'the session is not completed')
      },
    }
  },
}

/** What brings a file in, from the session to its verification. */
export const uploadCalls: readonly Call[] = [
  upload,
  verifyCompletion,
  initiateMultipartUpload,
  signMultipartPart,
  completing('completeMultipartUpload'),
  completing('verifyCompletion'),
  signing,
]
