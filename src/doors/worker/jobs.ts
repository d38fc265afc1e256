import { deleteObject } from '../../flows/assets/delete-object.ts'
import { purgeAsset } from '../../flows/assets/purge-asset.ts'
import { settleSlots } from '../../flows/assets/settle-slots.ts'
import { buildVariants } from '../../flows/variants/build-variants.ts'
import { promoteAsset } from '../../flows/variants/promote-asset.ts'
import type { JobRecord } from './job-runner.ts'

/** Every job, with the flow it is. What `jobCatalog` names and this table does not would never be done. */
export const jobs: readonly JobRecord[] = [
  { name: 'promote_asset', run: promoteAsset },
  { name: 'build_variants', run: buildVariants },
  { name: 'settle_slots', run: settleSlots },
  { name: 'purge_asset', run: purgeAsset },
  { name: 'delete_object', run: deleteObject },
]
