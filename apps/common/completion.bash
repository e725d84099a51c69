# Completion in bash for every program of the house:  source apps/common/completion.bash
_attn_complete() {
  local program=${COMP_WORDS[0]/#\~/$HOME} verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}
  local option=${COMP_WORDS[COMP_CWORD - 1]} words=
  # Bash makes three words of --model=mean.
  if [[ $word == = ]]; then word=
  elif [[ $option == = ]]; then option=${COMP_WORDS[COMP_CWORD - 2]}; fi
  if ((COMP_CWORD == 1)) || [[ $verb == help && $COMP_CWORD == 2 ]]; then
    words=$("$program" __complete 2>/dev/null)
  elif [[ $word == -* ]]; then
    words=$("$program" __complete "$verb" 2>/dev/null)
  elif [[ $option == -* ]]; then
    words=$("$program" __complete "$verb" "$option" 2>/dev/null)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  if [[ -z $words ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
for _attn_program in attn-mil attn-forecast attn-rank attn-gaze attn-vos attn-diffuse; do
  complete -F _attn_complete "$_attn_program"
done
unset _attn_program
