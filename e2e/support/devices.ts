import { expect, type Locator } from '@playwright/test';
import type { Person } from './person.ts';

/** A password for an app, as its person reads it from the page. */
export interface Shown {
  secret: string;
  address: string;
}

/** The page "Apps & devices" of one person's panel. */
export class Devices {
  private constructor(private readonly person: Person) {}

  /** Goes there from the list of chats or a conversation. */
  static async open(person: Person): Promise<Devices> {
    const devices = new Devices(person);
    await person.panel.getByRole('button', { name: 'Settings' }).click();
    await devices.enter();
    return devices;
  }

  /** From the settings. */
  async enter(): Promise<void> {
    const { panel } = this.person;
    await panel.getByRole('button', { name: 'Apps & devices' }).click();
    await expect(panel.getByRole('button', { name: 'Make a password' })).toBeVisible();
  }

  /** Out and in again, so that the list is asked for anew. */
  async again(): Promise<void> {
    await this.person.panel.getByRole('button', { name: 'Back to the settings' }).click();
    await this.enter();
  }

  get rows(): Locator {
    return this.person.panel.getByRole('list', { name: /device passwords?$/ }).getByRole('listitem');
  }

  row(name: string): Locator {
    return this.rows.filter({ hasText: name });
  }

  /** Makes a password and leaves it on the screen. */
  async make(name: string): Promise<Shown> {
    const { panel } = this.person;
    await panel.getByRole('button', { name: 'Make a password' }).click();
    await panel.getByLabel('Name', { exact: true }).fill(name);
    await panel.getByRole('button', { name: 'Make the password' }).click();
    await expect(panel.getByRole('heading', { name: 'Your new password' })).toBeVisible();
    const value = async (label: string): Promise<string> =>
      await panel.locator('.value').filter({ has: panel.locator('dt', { hasText: new RegExp(`^${label}$`) }) }).locator('code').textContent() ?? '';
    return { secret: await value('Password'), address: await value('Address') };
  }

  /** Says that it is saved. */
  async saved(): Promise<void> {
    await this.person.panel.getByRole('button', { name: 'Done, I have saved it' }).click();
  }

  /** Makes a password, reads it and says that it is saved. */
  async add(name: string): Promise<Shown> {
    const shown = await this.make(name);
    await this.saved();
    await expect(this.row(name)).toBeVisible();
    return shown;
  }

  async remove(name: string): Promise<void> {
    await this.row(name).getByRole('button', { name: /^Remove / }).click();
    const sure = this.person.panel.getByRole('group', { name: /cannot be undone/ });
    await sure.getByRole('button', { name: 'Remove' }).click();
    await expect(this.row(name)).toHaveCount(0);
  }
}
