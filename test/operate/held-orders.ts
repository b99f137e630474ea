/** A process that books the moves of orders. */
import { runService } from '../faults/run-service.ts'
import { heldShop } from './held-shop.ts'

await runService(heldShop)
