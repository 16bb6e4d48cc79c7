import AxeBuilder from '@axe-core/playwright';
import { expect } from '@playwright/test';
import type { Person } from './person.ts';

/** No violation of WCAG 2.2 A and AA in the panel; and a picture of how it looks, for people. */
export async function judge(person: Person, name: string): Promise<void> {
  await person.page.screenshot({ path: `screenshots/${name}.png` });
  await expect(async () => {
    const result = await new AxeBuilder({ page: person.page })
      .exclude('#mastodon') // the page around the panel is not ours
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      .analyze();
    expect(result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' | ')}`), name).toEqual([]);
    // On a busy machine axe now and then gives up on a frame without a word.
    const inPanel = result.passes.filter((pass) => pass.nodes.some((node) => node.target.length > 1));
    expect(inPanel.length, 'axe looked into the panel, not only at the page around it').toBeGreaterThan(3);
  }).toPass({ timeout: 30_000 });
}
