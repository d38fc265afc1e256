// S3 where the AWS SDK was not installed: tickets need none, calls say what to install. Ends with one line of JSON.
import { s3 } from 'rindle/storage/s3'

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' }
const storage = s3({ bucket: 'consumer', region: 'eu-central-1', credentials })
const ticket = { at: new Date('2026-01-01T12:00:00Z'), ttlSeconds: 60, contentType: 'image/png', sizeBytes: 7 }
const { url } = await storage.signPut('staging/a', ticket)
const { code, message } = await storage.head('staging/a').catch((err) => err)
console.log(JSON.stringify({ signed: url.includes('&X-Amz-Signature='), code, message }))
