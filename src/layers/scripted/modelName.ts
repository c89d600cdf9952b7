/** `ERRAND_MODEL=scripted` asks for the model that plays a script. */
export const modelName = "scripted"
