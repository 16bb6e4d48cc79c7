// Style sheets that a script takes in as text: see build.mjs.
declare module "*.css" {
  const text: string;
  export default text;
}
