import { writeFileSync } from 'node:fs'
import { listPath, publicNames } from '../test/architecture/public-names.ts'

// Writes the list of exported names anew, so that widening the API is a visible change of one file.
writeFileSync(listPath, `${JSON.stringify(publicNames(), null, 2)}\n`)
