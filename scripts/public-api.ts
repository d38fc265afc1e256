import { writeFileSync } from 'node:fs'
import { format, resolveConfig } from 'prettier'
import { listPath, publicNames } from '../test/architecture/public-names.ts'

// Writes the list of exported names anew, so that widening the API is a visible change of one file.
const options = await resolveConfig(listPath)
writeFileSync(listPath, await format(JSON.stringify(publicNames()), { ...options, parser: 'json' }))
