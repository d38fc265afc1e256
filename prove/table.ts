import { abandoned } from './abandoned.ts'
import { accept } from './accept.ts'
import { bombs } from './bombs.ts'
import { crash } from './crash.ts'
import { decode } from './decode.ts'
import { encodeKills } from './encode-kills.ts'
import { everything } from './everything.ts'
import { ffmpeg } from './ffmpeg.ts'
import { gate } from './gate.ts'
import type { Proof } from './harness.ts'
import { jobs } from './jobs.ts'
import { kills } from './kills.ts'
import { loaders } from './loaders.ts'
import { memory } from './memory.ts'
import { model } from './model.ts'
import { nth } from './nth.ts'
import { phones } from './phones.ts'
import { privacy } from './privacy.ts'
import { races } from './races.ts'
import { sabotage } from './sabotage.ts'
import { sealed } from './sealed.ts'
import { secrets } from './secrets.ts'
import { soak } from './soak.ts'
import { storageFaults } from './storage-faults.ts'
import { storm } from './storm.ts'
import { tickets } from './tickets.ts'

/** Every proof; `npm run prove -- NAME` finds it here. */
export const proofs: readonly Proof[] = [
  abandoned,
  accept,
  bombs,
  crash,
  decode,
  encodeKills,
  everything,
  ffmpeg,
  gate,
  jobs,
  kills,
  loaders,
  memory,
  model,
  nth,
  phones,
  privacy,
  races,
  sabotage,
  sealed,
  secrets,
  soak,
  storageFaults,
  storm,
  tickets,
]
