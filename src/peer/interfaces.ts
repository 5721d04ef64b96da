/** What networks this machine is attached to. */
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';

type Interfaces = ReturnType<typeof networkInterfaces>;

/** The interfaces by their names; `undefined` where the system does not say, as it does where a process has all the descriptors it may have. */
export function interfacesNow(): Interfaces | undefined {
  try {
    return networkInterfaces();
  } catch {
    return undefined;
  }
}

/** The addresses of this machine's interfaces, loopback included; none while the system does not say. */
export function interfaceAddresses(): readonly NetworkInterfaceInfo[] {
  return Object.values(interfacesNow() ?? {}).flatMap((addresses) => addresses ?? []);
}
