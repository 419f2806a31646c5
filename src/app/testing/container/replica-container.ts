import { GenericContainer, StartupCheckStrategy, type StartupStatus } from 'testcontainers';

/** A replica waits for its peers: it is asked whether it is ready once all of them run. */
class Running extends StartupCheckStrategy {
  override checkStartupState(): Promise<StartupStatus> {
    return Promise.resolve('SUCCESS');
  }
}

/** Only its volume can be written. */
export class ReplicaContainer extends GenericContainer {
  readonly #created: (containerId: string) => Promise<void>;

  /** `created`: called before it starts. */
  constructor(image: string, created: (containerId: string) => Promise<void>) {
    super(image);
    this.#created = created;
    this.hostConfig.ReadonlyRootfs = true;
    this.waitStrategy = new Running();
  }
  protected override async containerCreated(containerId: string): Promise<void> {
    await this.#created(containerId);
  }
}
