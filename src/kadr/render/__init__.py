"""How the stages become tasks: pass task, blend task, schedule, renderer, keyframes, recorder."""
