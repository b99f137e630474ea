export {
  Center,
  CenterId,
  City,
  PartnerId,
  partnerSystems,
  providerSystems,
  type PartnerSystem,
  type ProviderSystem,
} from './center.ts'
export {
  centerOnboarded,
  CenterOnboarded,
  centerRegistered,
  CenterRegistered,
  cityRegistered,
  CityRegistered,
  providerCreated,
  ProviderCreated,
} from './events.ts'
export { CenterStatus, centerStatus } from './requests.ts'
export { centers, partners } from './streams.ts'
export { text } from './text.ts'
