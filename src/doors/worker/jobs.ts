import { buildJobs } from '../../core/variant-plan.ts'
import { deleteObject } from '../../flows/assets/delete-object.ts'
import { purgeAsset } from '../../flows/assets/purge-asset.ts'
import { settleSlots } from '../../flows/assets/settle-slots.ts'
import { buildVariants } from '../../flows/variants/build-variants.ts'
import { promoteAsset } from '../../flows/variants/promote-asset.ts'
import type { JobRecord } from './job-runner.ts'

/** Every job, with the flow it is. What `jobCatalog` names and this table does not would never be done. */
export const jobs: readonly JobRecord[] = [
  { name: 'promote_asset', run: promoteAsset },
  ...buildJobs.map((job): JobRecord => ({ name: job, run: (ctx, id, options) => buildVariants(ctx, id, { ...options, job }) })),
  { name: 'settle_slots', run: settleSlots },
  { name: 'purge_asset', run: purgeAsset },
  { name: 'delete_object', run: deleteObject },
]
